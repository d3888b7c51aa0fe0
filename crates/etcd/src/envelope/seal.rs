//! Requests: values under an envelope prefix are sealed. Field numbers as in `rpc.proto`.

use super::fields::{Field, Fields, Value, append, rewrite};
use super::{MAX_DEPTH, seal};
use crate::places::{Place, Places};
use bytes::{Bytes, BytesMut};

/// `Compare.CompareTarget.VALUE`
const TARGET_VALUE: u64 = 3;

/// Puts values into envelopes.
#[derive(Clone, Copy)]
pub(crate) struct Sealer<'s> {
    pub(crate) places: &'s Places,
    /// The context; without one, only what would be taken for sealed is.
    pub(crate) block: Option<&'s [u8]>,
}

impl Sealer<'_> {
    /// A `PutRequest`; `None` where it stays as it is.
    pub(crate) fn put(&self, put: &[u8]) -> Option<Bytes> {
        let fields = Fields::of(put);
        let keeps_value = fields.number(5) != 0;
        if keeps_value || self.places.of(fields.bytes(1)) != Place::Envelope {
            return None;
        }
        let sealed = seal(fields.bytes(2), self.block)?;
        // An empty value is no field at all; of two, the last counts.
        let mut put = BytesMut::from(put);
        if fields.bytes(2).is_empty() {
            append(&mut put, 2, &sealed);
            return Some(put.freeze());
        }
        rewrite(&put, |number, _| (number == 2).then(|| sealed.clone()))
    }

    /// A `TxnRequest`; `None` where it stays as it is.
    pub(crate) fn txn(&self, txn: &[u8]) -> Option<Bytes> {
        self.nested(txn, MAX_DEPTH)
    }

    fn nested(&self, txn: &[u8], depth: usize) -> Option<Bytes> {
        let depth = depth.checked_sub(1)?;
        rewrite(txn, |number, op| match number {
            2 | 3 => rewrite(op, |kind, request| match kind {
                2 => self.put(request),
                4 => self.nested(request, depth),
                _ => None,
            }),
            _ => None,
        })
    }
}

/// How many comparisons of a `TxnRequest` are with values that are sealed in the store, and not
/// by whoever compares.
pub(crate) fn compared_values(txn: &[u8], places: &Places) -> u64 {
    compared_within(txn, places, MAX_DEPTH)
}

fn compared_within(txn: &[u8], places: &Places, depth: usize) -> u64 {
    let Some(depth) = depth.checked_sub(1) else {
        return 0;
    };
    let compared = |field: Field<'_>| {
        let Value::Bytes(part) = field.value else {
            return 0;
        };
        let fields = Fields::of(part);
        match field.number {
            1 if fields.number(2) == TARGET_VALUE => {
                let (key, end) = (fields.bytes(3), fields.bytes(64));
                u64::from(places.may_have(Place::Envelope, key, end))
            }
            2 | 3 => compared_within(fields.bytes(4), places, depth),
            _ => 0,
        }
    };
    Fields::of(txn).map(compared).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::open;
    use proptest::prelude::*;

    fn places() -> Places {
        Places::new(None, vec![(b"e/".into(), Place::Envelope)])
    }

    fn put(key: &str, value: &str) -> BytesMut {
        let mut put = BytesMut::new();
        append(&mut put, 1, key.as_bytes());
        if !value.is_empty() {
            append(&mut put, 2, value.as_bytes());
        }
        put
    }

    #[test]
    fn values_are_sealed_where_envelopes_are() {
        let places = places();
        let sealer = Sealer {
            places: &places,
            block: Some(b"block"),
        };
        for value in ["value", ""] {
            let sealed = sealer.put(&put("e/1", value)).unwrap();
            let stored = Fields::of(&sealed).bytes(2);
            assert_eq!(open(stored), Some((&b"block"[..], value.as_bytes())));
            assert_eq!(Fields::of(&sealed).bytes(1), b"e/1");
        }
        assert_eq!(sealer.put(&put("k", "value")), None);
        // The value that is there is kept.
        let mut keeps = put("e/1", "");
        keeps.extend_from_slice(b"\x28\x01");
        assert_eq!(sealer.put(&keeps), None);
    }

    #[test]
    fn comparisons_of_sealed_values_are_found() {
        let mut compare = BytesMut::from(&b"\x10\x03"[..]);
        append(&mut compare, 3, b"e/1");
        let mut nested = BytesMut::new();
        append(&mut nested, 1, &compare);
        let mut op = BytesMut::new();
        append(&mut op, 4, &nested);
        let mut txn = nested.clone();
        append(&mut txn, 3, &op);
        assert_eq!(compared_values(&txn, &places()), 2);
        assert_eq!(compared_values(&txn, &Places::new(None, Vec::new())), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let places = places();
            let sealer = Sealer { places: &places, block: Some(b"block") };
            let _ = (sealer.put(&bytes), sealer.txn(&bytes), compared_values(&bytes, &places));
        }
    }
}
