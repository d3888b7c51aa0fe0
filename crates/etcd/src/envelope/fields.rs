use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{decode_varint, encode_varint};
use std::ops::Range;

/// The fields of a protobuf message as they stand on the wire: what is not looked for stays as
/// it is, also what came to etcd after this was written.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'m> {
    message: &'m [u8],
    at: usize,
}

/// One field.
pub(crate) struct Field<'m> {
    pub(crate) number: u64,
    pub(crate) value: Value<'m>,
    /// Where it stands, tag included.
    at: Range<usize>,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
    /// A fixed-size number, which etcd's messages do not have.
    Fixed,
}

impl<'m> Fields<'m> {
    pub(crate) const fn of(message: &'m [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// The last value of a field of bytes, as protobuf has it; empty where there is none.
    pub(crate) fn bytes(self, number: u64) -> &'m [u8] {
        let own = self.filter(|field| field.number == number);
        let bytes = own.filter_map(|field| match field.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Number(_) | Value::Fixed => None,
        });
        bytes.last().unwrap_or_default()
    }

    /// The last value of a number; zero where there is none.
    pub(crate) fn number(self, number: u64) -> u64 {
        let own = self.filter(|field| field.number == number);
        let numbers = own.filter_map(|field| match field.value {
            Value::Number(number) => Some(number),
            Value::Bytes(_) | Value::Fixed => None,
        });
        numbers.last().unwrap_or_default()
    }

    /// Reads one; `None` at the end, and where the message is none.
    fn read(&mut self) -> Option<Field<'m>> {
        let mut rest = self.message.get(self.at..)?;
        if rest.is_empty() {
            return None;
        }
        let tag = decode_varint(&mut rest).ok()?;
        let value = match tag & 7 {
            0 => Value::Number(decode_varint(&mut rest).ok()?),
            2 => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (bytes, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Value::Bytes(bytes)
            }
            wire @ (1 | 5) => {
                (_, rest) = rest.split_at_checked(if wire == 1 { 8 } else { 4 })?;
                Value::Fixed
            }
            _ => return None,
        };
        let start = std::mem::replace(&mut self.at, self.message.len() - rest.len());
        Some(Field {
            number: tag >> 3,
            value,
            at: start..self.at,
        })
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Field<'m>;

    fn next(&mut self) -> Option<Field<'m>> {
        self.read()
    }
}

/// The message with what `map` puts in place of its fields of bytes. `None` where it puts
/// nothing in place.
pub(crate) fn rewrite(
    message: &[u8],
    mut map: impl FnMut(u64, &[u8]) -> Option<Bytes>,
) -> Option<Bytes> {
    let mut written: Option<BytesMut> = None;
    let mut copied = 0;
    for field in Fields::of(message) {
        let Value::Bytes(bytes) = field.value else {
            continue;
        };
        let Some(mapped) = map(field.number, bytes) else {
            continue;
        };
        let out = written.get_or_insert_with(|| BytesMut::with_capacity(message.len()));
        out.put_slice(message.get(copied..field.at.start)?);
        append(out, field.number, &mapped);
        copied = field.at.end;
    }
    let mut out = written?;
    out.put_slice(message.get(copied..)?);
    Some(out.freeze())
}

/// Adds a field of bytes.
pub(super) fn append(message: &mut BytesMut, number: u64, bytes: &[u8]) {
    encode_varint(number << 3 | 2, message);
    encode_varint(bytes.len() as u64, message);
    message.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_mapped_changes() {
        let message = b"\x08\x96\x01\x12\x01a\x1d\x01\x02\x03\x04\x12\x01b\x19abcdefgh";
        let mapped = rewrite(message, |number, bytes| {
            (number == 2 && bytes == b"b").then(|| Bytes::from_static(b"long"))
        });
        let expected = b"\x08\x96\x01\x12\x01a\x1d\x01\x02\x03\x04\x12\x04long\x19abcdefgh";
        assert_eq!(mapped.as_deref(), Some(&expected[..]));
        assert_eq!(rewrite(message, |_, _| None), None);
        assert_eq!(Fields::of(message).number(1), 150);
        assert_eq!(Fields::of(message).bytes(2), b"b");
        assert_eq!(Fields::of(message).bytes(9), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let same = rewrite(&bytes, |_, bytes| Some(Bytes::copy_from_slice(bytes)));
            if let Some(same) = same {
                // What follows the last whole field is kept too.
                prop_assert!(same.len() <= bytes.len());
            }
            let _ = Fields::of(&bytes).number(1);
        }
    }
}
