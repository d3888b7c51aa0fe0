//! Responses: envelopes are taken off. Field numbers as in `rpc.proto` and `kv.proto`.

use super::fields::{Fields, rewrite};
use super::{MAX_DEPTH, open};
use crate::aside::Aside;
use crate::places::{Place, Places};
use bytes::Bytes;

/// Takes values out of envelopes, and lays what was with them aside. Each method takes one
/// message; `None` where it stays as it is.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'o> {
    pub(crate) places: &'o Places,
    pub(crate) aside: Option<&'o Aside>,
}

impl Opener<'_> {
    fn pair(&self, pair: &[u8]) -> Option<Bytes> {
        let fields = Fields::of(pair);
        let key = fields.bytes(1);
        if self.places.of(key) != Place::Envelope {
            return None;
        }
        let (block, value) = open(fields.bytes(5))?;
        if let Some(aside) = self.aside
            && !block.is_empty()
        {
            aside.lay(key, fields.number(3), block);
        }
        rewrite(pair, |number, _| {
            (number == 5).then(|| Bytes::copy_from_slice(value))
        })
    }

    fn pairs(&self, message: &[u8], field: u64) -> Option<Bytes> {
        rewrite(message, |number, pair| {
            (number == field).then(|| self.pair(pair)).flatten()
        })
    }

    /// `RangeResponse.kvs`
    pub(crate) fn range(&self, response: &[u8]) -> Option<Bytes> {
        self.pairs(response, 2)
    }

    /// `PutResponse.prev_kv`
    pub(crate) fn put(&self, response: &[u8]) -> Option<Bytes> {
        self.pairs(response, 2)
    }

    /// `DeleteRangeResponse.prev_kvs`
    pub(crate) fn delete_range(&self, response: &[u8]) -> Option<Bytes> {
        self.pairs(response, 3)
    }

    /// `TxnResponse.responses`
    pub(crate) fn txn(&self, response: &[u8]) -> Option<Bytes> {
        self.nested(response, MAX_DEPTH)
    }

    fn nested(&self, response: &[u8], depth: usize) -> Option<Bytes> {
        let depth = depth.checked_sub(1)?;
        rewrite(response, |number, op| {
            (number == 3).then(|| rewrite(op, |kind, response| self.op(kind, response, depth)))?
        })
    }

    fn op(&self, kind: u64, response: &[u8], depth: usize) -> Option<Bytes> {
        match kind {
            1 => self.range(response),
            2 => self.put(response),
            3 => self.delete_range(response),
            4 => self.nested(response, depth),
            _ => None,
        }
    }

    /// `RangeStreamResponse.range_response`
    pub(crate) fn range_stream(&self, response: &[u8]) -> Option<Bytes> {
        rewrite(response, |number, range| {
            (number == 1).then(|| self.range(range))?
        })
    }

    /// `WatchResponse.events`, their `kv` and `prev_kv`
    pub(crate) fn watch(&self, response: &[u8]) -> Option<Bytes> {
        rewrite(response, |number, event| {
            (number == 11).then(|| {
                rewrite(event, |number, pair| {
                    matches!(number, 2 | 3).then(|| self.pair(pair))?
                })
            })?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::append;
    use super::super::seal;
    use super::*;
    use bytes::BytesMut;
    use proptest::prelude::*;

    fn message(number: u64, bytes: &[u8]) -> BytesMut {
        let mut message = BytesMut::new();
        append(&mut message, number, bytes);
        message
    }

    /// A pair of revision 7.
    fn pair(key: &str, value: &[u8]) -> BytesMut {
        let mut pair = message(1, key.as_bytes());
        pair.extend_from_slice(b"\x18\x07");
        append(&mut pair, 5, value);
        pair
    }

    #[test]
    fn values_are_opened_wherever_pairs_are() {
        let places = Places::new(None, vec![(b"e/".into(), Place::Envelope)]);
        let aside = Aside::default();
        let opener = Opener {
            places: &places,
            aside: Some(&aside),
        };
        let sealed = pair("e/1", &seal(b"value", Some(b"block")).unwrap());
        let plain = pair("e/1", b"value").freeze();
        assert_eq!(
            opener.put(&message(2, &sealed)).unwrap(),
            message(2, &plain)
        );
        assert_eq!(aside.take(b"e/1", 7).unwrap(), "block");
        let event = |pair: &[u8]| message(11, &message(3, pair));
        assert_eq!(opener.watch(&event(&sealed)).unwrap(), event(&plain));
        let op = |pair: &[u8]| message(3, &message(3, &message(3, pair)));
        assert_eq!(opener.txn(&op(&sealed)).unwrap(), op(&plain));
        let stream = |pair: &[u8]| message(1, &message(2, pair));
        let opened = opener.range_stream(&stream(&sealed)).unwrap();
        assert_eq!(opened, stream(&plain));
        // Elsewhere, and where there is none, nothing is looked for.
        let elsewhere = pair("k", &seal(b"value", Some(b"block")).unwrap());
        assert_eq!(opener.range(&message(2, &elsewhere)), None);
        assert_eq!(opener.range(&message(2, &plain)), None);
    }

    #[test]
    fn what_is_nested_without_end_is_not_followed() {
        let places = Places::new(None, vec![(Vec::new(), Place::Envelope)]);
        let opener = Opener {
            places: &places,
            aside: None,
        };
        let sealed = message(2, &pair("e/1", &seal(b"v", Some(b"block")).unwrap()));
        let mut nested = message(3, &message(1, &sealed));
        for depth in 0..10_000 {
            let reaches = (opener.txn(&nested)).is_some();
            assert_eq!(reaches, depth < MAX_DEPTH, "{depth}");
            nested = message(3, &message(4, &nested));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let places = Places::new(None, vec![(Vec::new(), Place::Envelope)]);
            let opener = Opener { places: &places, aside: None };
            let _ = (opener.txn(&bytes), opener.watch(&bytes), opener.range_stream(&bytes));
        }
    }
}
