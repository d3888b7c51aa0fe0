//! From the response of a transaction with companions back to the user's response.

use super::wire::{Headed, Op, ResponseOp, TxnResponse};
use crate::envelope::MAX_DEPTH;
use bytes::{Bytes, BytesMut};
use prost::Message;

/// Whose the operations of a transaction are.
#[derive(Debug, Default)]
pub(super) struct Branches {
    pub(super) success: Vec<Part>,
    pub(super) failure: Vec<Part>,
}

#[derive(Debug)]
pub(super) enum Part {
    Own,
    Nested(Branches),
    Companion,
}

impl Branches {
    /// Whether there is a companion in any branch.
    pub(super) fn have_companions(&self) -> bool {
        let mut parts = self.success.iter().chain(&self.failure);
        parts.any(|part| match part {
            Part::Own => false,
            Part::Nested(branches) => branches.have_companions(),
            Part::Companion => true,
        })
    }

    /// Takes the responses of companions out. `None` for what is not the response of this
    /// transaction.
    pub(super) fn txn(&self, response: Bytes) -> Option<Bytes> {
        Some(self.strip(response)?.encode_to_vec().into())
    }

    /// The response to the one operation that the user sent by itself.
    pub(super) fn single(&self, response: Bytes) -> Option<Bytes> {
        let TxnResponse {
            header, responses, ..
        } = self.strip(response)?;
        let (Op::Put(own) | Op::DeleteRange(own)) = responses.into_iter().next()?.op? else {
            return None;
        };
        single(header, own)
    }

    fn strip(&self, response: Bytes) -> Option<TxnResponse> {
        let mut response = TxnResponse::decode(response).ok()?;
        let parts = if response.succeeded {
            &self.success
        } else {
            &self.failure
        };
        if parts.len() != response.responses.len() {
            return None;
        }
        let pairs = std::mem::take(&mut response.responses)
            .into_iter()
            .zip(parts);
        for (ResponseOp { op }, part) in pairs {
            let op = match (part, op?) {
                (Part::Companion, _) => continue,
                (Part::Nested(branches), Op::Txn(nested)) => Op::Txn(branches.txn(nested)?),
                (Part::Nested(_), _) => return None,
                (Part::Own, op) => op,
            };
            response.responses.push(ResponseOp { op: Some(op) });
        }
        Some(response)
    }
}

/// Whether the response to a transaction has only operations that etcd-client knows: it panics at
/// others.
pub(super) fn is_known(response: &[u8]) -> bool {
    is_known_within(response, MAX_DEPTH)
}

fn is_known_within(response: &[u8], depth: usize) -> bool {
    let (Ok(response), Some(depth)) = (TxnResponse::decode(response), depth.checked_sub(1)) else {
        return false;
    };
    let mut ops = response.responses.iter();
    ops.all(|ResponseOp { op }| match op {
        Some(Op::Txn(nested)) => is_known_within(nested, depth),
        op => op.is_some(),
    })
}

/// The response to an operation of a transaction, as that to an operation by itself. In a
/// transaction its header has the revision only. Protobuf merges a field that comes twice, so the
/// transaction's header fills in the rest.
pub(super) fn single(header: Option<Bytes>, own: Bytes) -> Option<Bytes> {
    let mut whole = BytesMut::from(own);
    Headed { header }.encode(&mut whole).ok()?;
    Some(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::super::wire::TxnRequest;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn operations_that_etcd_client_does_not_know_are_seen() {
        let response = |op| TxnResponse {
            responses: vec![ResponseOp { op }],
            ..TxnResponse::default()
        };
        let nested = |inner: &TxnResponse| response(Some(Op::Txn(inner.encode_to_vec().into())));
        let known = response(Some(Op::Range(Bytes::new())));
        let unknown = response(None);
        for (response, is_known_to_be) in [
            (known.clone(), true),
            (nested(&known), true),
            (unknown.clone(), false),
            (nested(&unknown), false),
        ] {
            assert_eq!(is_known(&response.encode_to_vec()), is_known_to_be);
        }
        let deep = (0..10_000).fold(known, |deep, _| nested(&deep));
        assert!(!is_known(&deep.encode_to_vec()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let branches = Branches {
                success: vec![Part::Own, Part::Companion],
                failure: vec![Part::Nested(Branches::default())],
            };
            let _ = (branches.txn(bytes.clone()), branches.single(bytes.clone()));
            let _ = TxnRequest::decode(bytes);
        }

        #[test]
        fn what_is_the_users_comes_back_as_it_was(own: Vec<u8>, companion: Vec<u8>) {
            let op = |bytes: &[u8]| ResponseOp {
                op: Some(Op::Range(Bytes::copy_from_slice(bytes))),
            };
            let response = |responses| TxnResponse {
                header: Some(Bytes::from_static(b"\x18\x07")),
                succeeded: true,
                responses,
            };
            let branches = Branches {
                success: vec![Part::Companion, Part::Own],
                failure: Vec::new(),
            };
            let sent = response(vec![op(&companion), op(&own)]).encode_to_vec();
            let expected = response(vec![op(&own)]).encode_to_vec();
            prop_assert_eq!(branches.txn(sent.into()).unwrap(), expected);
        }
    }
}
