//! From the user's range to a transaction that reads the companions of the range too, and back.

use super::keys::Prefix;
use super::restore::single;
use super::wire::{Op, RangeRequest, RequestOp, ResponseOp, TxnRequest, TxnResponse};
use crate::aside::{Aside, Coverage};
use crate::envelope::{Fields, Value};
use crate::places::{Place, Places};
use bytes::Bytes;
use prost::Message;

/// How many contexts are read with a range, at most.
pub(crate) const MAX_CONTEXTS: usize = 1024;

/// Whether a `RangeRequest` may give keys whose context rests in this place.
pub(super) fn may_have(request: &[u8], places: &Places, place: Place) -> bool {
    let fields = Fields::of(request);
    places.may_have(place, fields.bytes(1), fields.bytes(2))
}

/// The revision that a `RangeRequest` asks for; 0 for the latest.
pub(super) fn revision(request: &[u8]) -> i64 {
    Fields::of(request).number(4).cast_signed()
}

/// The range, and that of its companions. `None` where the second would not be beside the first:
/// nothing is returned, or the first pairs by another order than that of the keys.
pub(super) fn with_companions(
    request: &Bytes,
    places: &Places,
    prefix: &Prefix,
) -> Option<TxnRequest> {
    let range = RangeRequest::decode(request.clone()).ok()?;
    let by_key = range.sort_target == 0 && range.sort_order != RangeRequest::DESCEND;
    if range.count_only || !by_key && range.limit > 0 {
        return None;
    }
    if !places.may_have(Place::Companion, &range.key, &range.range_end) {
        return None;
    }
    let most = i64::try_from(MAX_CONTEXTS).ok()?;
    let companions = RangeRequest {
        key: prefix.of(&range.key),
        range_end: prefix.range_end(&range.range_end),
        limit: if range.limit > 0 {
            range.limit.min(most)
        } else {
            most
        },
        sort_order: 0,
        sort_target: 0,
        ..range
    };
    let ops = [request.clone(), companions.encode_to_vec().into()];
    let ops = ops.map(|range| RequestOp {
        op: Some(Op::Range(range)),
    });
    Some(TxnRequest {
        success: ops.into(),
        ..TxnRequest::default()
    })
}

/// The response to the user's range; companions are laid aside. `None` for what is not the
/// response to these two ranges.
pub(super) fn restore(response: Bytes, prefix: &Prefix, aside: &Aside) -> Option<Bytes> {
    let TxnResponse {
        header, responses, ..
    } = TxnResponse::decode(response).ok()?;
    let ranges = <[ResponseOp; 2]>::try_from(responses).ok()?;
    let [Some(Op::Range(own)), Some(Op::Range(companions))] = ranges.map(|range| range.op) else {
        return None;
    };
    lay_aside(&companions, prefix, aside);
    single(header, own)
}

fn lay_aside(companions: &[u8], prefix: &Prefix, aside: &Aside) {
    let mut last = None;
    let mut has_more = false;
    for field in Fields::of(companions) {
        match (field.number, field.value) {
            (2, Value::Bytes(pair)) => {
                let pair = Fields::of(pair);
                let companion = pair.bytes(1);
                if let Some(key) = prefix.strip(companion) {
                    aside.lay(key, pair.number(3), pair.bytes(5));
                    last = Some(key);
                }
            }
            (3, Value::Number(more)) => has_more = more != 0,
            _ => {}
        }
    }
    aside.set_coverage(match last {
        Some(last) if has_more => Coverage::UpTo(Bytes::copy_from_slice(last)),
        _ => Coverage::All,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn companions_of(range: &RangeRequest) -> Option<RangeRequest> {
        let prefix = Prefix::new(b"p/".into()).unwrap();
        let rules = vec![(b"none/".into(), Place::Nowhere)];
        let places = Places::new(Some(prefix.clone()), rules);
        let txn = with_companions(&range.encode_to_vec().into(), &places, &prefix)?;
        let Some(Op::Range(companions)) = txn.success[1].op.clone() else {
            panic!("no range: {txn:?}");
        };
        Some(RangeRequest::decode(companions).unwrap())
    }

    #[test]
    fn the_range_of_companions_has_the_same_view_of_the_store() {
        let range = RangeRequest {
            key: "a".into(),
            range_end: "c".into(),
            limit: 5,
            revision: 7,
            serializable: true,
            min_mod_revision: 2,
            ..RangeRequest::default()
        };
        let expected = RangeRequest {
            key: "p/a".into(),
            range_end: "p/c".into(),
            ..range.clone()
        };
        assert_eq!(companions_of(&range), Some(expected));
        let unlimited = RangeRequest { limit: 0, ..range };
        assert_eq!(companions_of(&unlimited).unwrap().limit, 1024);
    }

    #[test]
    fn what_returns_no_pairs_or_others_than_the_first_keys_is_left_alone() {
        let range = RangeRequest {
            key: "a".into(),
            range_end: "c".into(),
            ..RangeRequest::default()
        };
        let by_value = RangeRequest {
            sort_target: 4,
            ..range.clone()
        };
        assert!(companions_of(&by_value).is_some());
        let by_value = RangeRequest {
            limit: 1,
            ..by_value
        };
        assert_eq!(companions_of(&by_value), None);
        let backwards = RangeRequest {
            sort_order: RangeRequest::DESCEND,
            limit: 1,
            ..range.clone()
        };
        assert_eq!(companions_of(&backwards), None);
        let counts = RangeRequest {
            count_only: true,
            ..range
        };
        assert_eq!(companions_of(&counts), None);
        let elsewhere = RangeRequest {
            key: "none/1".into(),
            ..RangeRequest::default()
        };
        assert_eq!(companions_of(&elsewhere), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let prefix = Prefix::new(b"p/".into()).unwrap();
            lay_aside(&bytes, &prefix, &Aside::default());
            let _ = restore(bytes.into(), &prefix, &Aside::default());
        }
    }
}
