use super::{Carrier, CarrierMut, Field};

/// A binary context block, for protocols of one's own: in front of a payload, in a file, in a
/// queue's record.
///
/// Layout, version 1: one byte `1`, then for each value
/// - a field code: 1 `traceparent`, 2 `tracestate`, 3 `baggage`, or 0 followed by a length byte
///   and a name;
/// - the value's length, two bytes, big endian;
/// - the value, as in the HTTP header.
///
/// At most [`ContextBlock::MAX_LEN`] bytes. An empty block means that there is no context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextBlock<'b> {
    entries: &'b [u8],
}

/// A block that does not hold what its layout demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The version is not one that this reader knows.
    #[error("context block version {0}; this reader knows version {VERSION}")]
    Version(u8),
    /// The block is longer than [`ContextBlock::MAX_LEN`]. The field is its length in bytes.
    #[error("context block of {0} bytes; at most {max} are allowed", max = ContextBlock::MAX_LEN)]
    TooLong(usize),
    /// The block ends in the middle of an entry.
    #[error("context block ends in the middle of an entry")]
    Truncated,
    /// A field code or name that the layout does not have.
    #[error("context block holds an unknown field code {0} or a name that is not text")]
    Field(u8),
}

const VERSION: u8 = 1;
const OTHER: u8 = 0;

impl<'b> ContextBlock<'b> {
    /// The most bytes that a block has.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Checks a block. Allocates nothing; the values are read later, by propagation.
    ///
    /// # Errors
    ///
    /// [`BlockError`] for a version, length or entry that the layout does not have.
    pub fn parse(block: &'b [u8]) -> Result<Self, BlockError> {
        if block.len() > Self::MAX_LEN {
            return Err(BlockError::TooLong(block.len()));
        }
        let entries = match block {
            [] => &[],
            [VERSION, entries @ ..] => entries,
            [version, ..] => return Err(BlockError::Version(*version)),
        };
        let mut rest = entries;
        while !rest.is_empty() {
            (_, rest) = split_entry(rest)?;
        }
        Ok(Self { entries })
    }

    fn iter(&self) -> impl Iterator<Item = (Field<'b>, &'b [u8])> + use<'b> {
        let mut rest = self.entries;
        std::iter::from_fn(move || {
            // Checked by `parse`; a failure would end the iteration.
            let entry = split_entry(rest).ok()?;
            rest = entry.1;
            Some(entry.0)
        })
    }
}

type Entry<'b> = (Field<'b>, &'b [u8]);

fn split_entry(entries: &[u8]) -> Result<(Entry<'_>, &[u8]), BlockError> {
    let (code, rest) = entries.split_first().ok_or(BlockError::Truncated)?;
    let (field, rest) = match code {
        1 => (Field::TraceParent, rest),
        2 => (Field::TraceState, rest),
        3 => (Field::Baggage, rest),
        &OTHER => {
            let (length, rest) = rest.split_first().ok_or(BlockError::Truncated)?;
            let (name, rest) = split(rest, usize::from(*length))?;
            let name = std::str::from_utf8(name).map_err(|_| BlockError::Field(OTHER))?;
            (Field::Other(name), rest)
        }
        code => return Err(BlockError::Field(*code)),
    };
    let (length, rest) = rest.split_first_chunk().ok_or(BlockError::Truncated)?;
    let (value, rest) = split(rest, usize::from(u16::from_be_bytes(*length)))?;
    Ok(((field, value), rest))
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), BlockError> {
    bytes.split_at_checked(at).ok_or(BlockError::Truncated)
}

impl Carrier for ContextBlock<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(own, _)| own.is(field.name()))
            .map(|(_, value)| value)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(field, _)| field.name())
    }
}

/// A [`ContextBlock`] in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextBlockBuf(Vec<u8>);

impl ContextBlockBuf {
    /// The block as it is sent; empty when no field was set.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether no field was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The block, to read from.
    #[must_use]
    pub fn as_block(&self) -> ContextBlock<'_> {
        ContextBlock {
            entries: self.0.get(1..).unwrap_or_default(),
        }
    }

    /// Adds one more value of a field, as it stands on the wire; tells whether it fitted.
    pub fn append(&mut self, field: Field<'_>, value: &[u8]) -> bool {
        let code = match field {
            Field::TraceParent => 1,
            Field::TraceState => 2,
            Field::Baggage => 3,
            Field::Other(_) => OTHER,
        };
        let name = if code == OTHER { field.name() } else { "" };
        let (Ok(length), Ok(name_length)) = (u16::try_from(value.len()), u8::try_from(name.len()))
        else {
            return false;
        };
        // Version, code, name length and value length are at most 5 bytes.
        if self.0.len() + name.len() + value.len() + 5 > ContextBlock::MAX_LEN {
            return false;
        }
        if self.0.is_empty() {
            self.0.reserve(value.len() + 64);
            self.0.push(VERSION);
        }
        self.0.push(code);
        if code == OTHER {
            self.0.push(name_length);
            self.0.extend_from_slice(name.as_bytes());
        }
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        true
    }
}

impl Carrier for ContextBlockBuf {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.as_block()
            .iter()
            .filter(move |(own, _)| own.is(field.name()))
            .map(|(_, value)| value)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.as_block().iter().map(|(field, _)| field.name())
    }
}

impl CarrierMut for ContextBlockBuf {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        self.remove_field(field);
        self.append(field, value.as_bytes());
    }

    fn remove_field(&mut self, field: Field<'_>) {
        if self.values_of(field).next().is_some() {
            let mut kept = Self::default();
            for (own, value) in self
                .as_block()
                .iter()
                .filter(|(own, _)| !own.is(field.name()))
            {
                kept.append(own, value);
            }
            *self = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_block_has_no_field() {
        assert_eq!(ContextBlock::parse(b"").unwrap().field_names().count(), 0);
        assert!(ContextBlockBuf::default().as_bytes().is_empty());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert_eq!(ContextBlock::parse(b"\x02"), Err(BlockError::Version(2)));
        assert_eq!(ContextBlock::parse(b"\x01\x09"), Err(BlockError::Field(9)));
        assert_eq!(
            ContextBlock::parse(b"\x01\x01\x00"),
            Err(BlockError::Truncated)
        );
        let long = vec![VERSION; ContextBlock::MAX_LEN + 1];
        assert_eq!(
            ContextBlock::parse(&long),
            Err(BlockError::TooLong(long.len()))
        );
    }

    #[test]
    fn set_replaces_and_remove_leaves_the_others() {
        let mut block = ContextBlockBuf::default();
        block.set_field(Field::Baggage, "a=1");
        block.set_field(Field::Other("b3"), "0");
        block.set_field(Field::Baggage, "a=2");
        assert_eq!(
            block.values_of(Field::Baggage).collect::<Vec<_>>(),
            [b"a=2"]
        );
        block.remove_field(Field::Baggage);
        assert_eq!(block.field_names().collect::<Vec<_>>(), ["b3"]);
        block.remove_field(Field::Other("B3"));
        assert!(block.is_empty());
    }

    #[test]
    fn a_value_that_does_not_fit_is_left_out() {
        let mut block = ContextBlockBuf::default();
        block.set_field(Field::Baggage, &"v".repeat(ContextBlock::MAX_LEN));
        assert!(block.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            if let Ok(block) = ContextBlock::parse(&bytes) {
                prop_assert!(block.iter().count() <= bytes.len());
            }
        }

        #[test]
        fn cut_anywhere_it_is_an_error_or_a_shorter_block(values: Vec<Vec<u8>>) {
            let mut whole = ContextBlockBuf::default();
            for value in &values {
                whole.append(Field::TraceState, value);
            }
            for end in 0..whole.as_bytes().len() {
                if let Ok(block) = ContextBlock::parse(&whole.as_bytes()[..end]) {
                    prop_assert!(block.iter().count() < values.len().max(1));
                }
            }
            let all = ContextBlock::parse(whole.as_bytes()).unwrap();
            let read: Vec<_> = all.values_of(Field::TraceState).collect();
            prop_assert_eq!(read, values);
        }
    }
}
