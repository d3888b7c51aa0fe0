use crate::places::prefix_end;
use bytes::Bytes;

/// Where companion keys are: beside every user key, under a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(Vec<u8>);

impl Prefix {
    pub(crate) const DEFAULT: &str = "__dynamo_trace/";

    /// `None` for the empty prefix, where companions would be the keys themselves.
    pub(crate) fn new(prefix: Vec<u8>) -> Option<Self> {
        (!prefix.is_empty()).then_some(Self(prefix))
    }

    /// The companion of `key`.
    pub(crate) fn of(&self, key: &[u8]) -> Bytes {
        [&self.0, key].concat().into()
    }

    /// The user key that `companion` is beside, if it is a companion.
    pub(crate) fn strip<'k>(&self, companion: &'k [u8]) -> Option<&'k [u8]> {
        companion.strip_prefix(&*self.0)
    }

    /// The key of the note that deletions leave: the prefix itself, which is beside no key.
    pub(crate) fn note(&self) -> Bytes {
        self.of(b"")
    }

    /// The end of the range of companions whose keys' range ends at `range_end`.
    pub(super) fn range_end(&self, range_end: &[u8]) -> Bytes {
        match range_end {
            // A single key.
            [] => Bytes::new(),
            // To the end of all keys.
            [0] => self.end(),
            end => self.of(end),
        }
    }

    /// The first key behind every companion; `\0` where there is none.
    pub(crate) fn end(&self) -> Bytes {
        prefix_end(&self.0).map_or(Bytes::from_static(b"\0"), Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_keys_are_ranges_of_companions() {
        let prefix = Prefix::new(b"p/".to_vec()).unwrap();
        assert_eq!(prefix.of(b"k"), "p/k");
        assert_eq!(prefix.strip(b"p/k"), Some(&b"k"[..]));
        assert_eq!(prefix.strip(b"q/k"), None);
        assert_eq!(prefix.range_end(b""), "");
        assert_eq!(prefix.range_end(b"l"), "p/l");
        assert_eq!(prefix.range_end(b"\0"), "p0");
        assert_eq!(
            Prefix::new(b"a\xff".to_vec()).unwrap().range_end(b"\0"),
            "b"
        );
        assert_eq!(
            Prefix::new(b"\xff".to_vec()).unwrap().range_end(b"\0"),
            "\0"
        );
        assert_eq!(Prefix::new(Vec::new()), None);
    }
}
