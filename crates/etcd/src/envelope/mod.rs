//! Envelopes: the context of a put, in front of the value.
//!
//! Layout, version 1: the eight bytes [`MAGIC`], the version byte `1`, two bytes length of the
//! context block, big endian, the [`ContextBlock`], the value.
//!
//! - a put under an envelope prefix is sealed ([`Sealer`]); one without a context only if its
//!   value would be taken for sealed otherwise.
//! - pairs in responses and watch events are opened ([`Opener`]). What is not sealed is a value.

mod announced;
mod body;
mod fields;
mod open;
mod seal;

pub(crate) use announced::Announced;
pub(crate) use body::Messages;
pub(crate) use fields::{Fields, Value};
pub(crate) use open::Opener;
pub(crate) use seal::{Sealer, compared_values};

use bytes::{BufMut, Bytes, BytesMut};
use dynamo_trace_core::ContextBlock;

/// How deep transactions are looked into: prost reads no deeper messages.
pub(crate) const MAX_DEPTH: usize = 100;

/// What an envelope begins with. No text begins so, and no protobuf message.
const MAGIC: [u8; 8] = *b"\x8fdtrace\x1a";
const VERSION: u8 = 1;
/// Magic, version and length of the block.
const HEAD_LEN: usize = MAGIC.len() + 3;

/// The value in an envelope with this block. `None` where it can stay as it is: there is no
/// block, and nobody would take it for sealed.
pub(crate) fn seal(value: &[u8], block: Option<&[u8]>) -> Option<Bytes> {
    let block = match block {
        Some(block) if block.len() <= ContextBlock::MAX_LEN => block,
        _ if open(value).is_some() => &[],
        _ => return None,
    };
    let mut sealed = BytesMut::with_capacity(HEAD_LEN + block.len() + value.len());
    sealed.put_slice(&MAGIC);
    sealed.put_u8(VERSION);
    sealed.put_u16(u16::try_from(block.len()).ok()?);
    sealed.put_slice(block);
    sealed.put_slice(value);
    Some(sealed.freeze())
}

/// The block, empty or not, and the value; `None` for what is not sealed.
pub(crate) fn open(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = stored.strip_prefix(&MAGIC)?;
    let ([VERSION, length @ ..], rest) = rest.split_first_chunk::<3>()? else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > ContextBlock::MAX_LEN {
        return None;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values, among them those that begin like envelopes or are some.
    fn values() -> impl Strategy<Value = Vec<u8>> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..64);
        let like = (0..=HEAD_LEN, bytes()).prop_map(|(length, rest)| {
            let head = [&MAGIC[..], &[VERSION, 0, 3]].concat();
            [&head[..length], &rest].concat()
        });
        let sealed = (bytes(), bytes())
            .prop_map(|(value, block)| seal(&value, Some(&block)).unwrap().to_vec());
        prop_oneof![bytes(), like, sealed]
    }

    fn opened(stored: &[u8]) -> &[u8] {
        open(stored).map_or(stored, |(_, value)| value)
    }

    #[test]
    fn the_layout_stands() {
        let sealed = seal(b"value", Some(b"block")).unwrap();
        assert_eq!(&sealed[..], b"\x8fdtrace\x1a\x01\x00\x05blockvalue");
        assert_eq!(open(&sealed), Some((&b"block"[..], &b"value"[..])));
        assert_eq!(seal(b"value", None), None);
        let twice = seal(&sealed, None).unwrap();
        assert_eq!(open(&twice), Some((&b""[..], &sealed[..])));
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_a_value() {
        let sealed = seal(b"", Some(b"block")).unwrap();
        for length in 0..sealed.len() {
            assert_eq!(open(&sealed[..length]), None);
        }
        let mut other = sealed.to_vec();
        other[MAGIC.len()] = 2;
        assert_eq!(open(&other), None);
        let long = [&MAGIC[..], &[VERSION, 0x40, 0x01], &[0; 0x4001]].concat();
        assert_eq!(open(&long), None);
        let block = vec![0; ContextBlock::MAX_LEN + 1];
        assert_eq!(seal(b"v", Some(&block)), None);
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in values(), block: Option<Vec<u8>>) {
            let stored = seal(&value, block.as_deref());
            let stored = stored.as_deref().unwrap_or(&value);
            prop_assert_eq!(opened(stored), &value);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in values()) {
            prop_assert!(opened(&bytes).len() <= bytes.len());
        }
    }
}
