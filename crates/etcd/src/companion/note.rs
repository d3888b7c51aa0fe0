//! Who deletes: the context of a deletion, in the one key that no deletion of a user's takes away.
//!
//! The companion of a deleted key is gone, and a key of its own for every deletion would have to
//! be cleaned up. But every revision of a key can be read: the note at the revision of a deletion,
//! if it was written with it, says who deleted.

use super::keys::Prefix;
use super::wire::{CompareVersion, DeleteRangeRequest, Op, PutRequest, RequestOp, TxnRequest};
use bytes::Bytes;
use prost::Message;

/// How many deletions of a transaction the note may depend on: each is a transaction in the one
/// before it.
const MAX_DELETIONS: usize = 8;

/// The note of a branch of a transaction, in the making.
#[derive(Default)]
pub(super) struct Note {
    deletions: Vec<DeleteRangeRequest>,
    /// The branch puts something, so that there is a revision in any case.
    puts: bool,
    /// A deletion takes the note away, and one transaction changes a key once.
    is_deleted: bool,
}

impl Note {
    pub(super) const fn has_put(&mut self) {
        self.puts = true;
    }

    pub(super) fn of(&mut self, deletion: &DeleteRangeRequest, prefix: &Prefix) {
        self.is_deleted |= within(&prefix.note(), &deletion.key, &deletion.range_end);
        self.deletions.push(deletion.clone());
    }

    /// Whether nothing is deleted.
    pub(super) const fn is_empty(&self) -> bool {
        self.deletions.is_empty()
    }

    /// The put of the note, and how deep it is in transactions of its own. A deletion of nothing
    /// makes no revision; therefore the put depends on there being something.
    pub(super) fn write(self, prefix: &Prefix, block: &Bytes) -> Option<(Op, usize)> {
        if self.is_deleted {
            return None;
        }
        let put = PutRequest {
            key: prefix.note(),
            value: block.clone(),
            ..PutRequest::default()
        };
        let put = Op::Put(put.encode_to_vec().into());
        if self.puts {
            return Some((put, 0));
        }
        let depth = self.deletions.len();
        if depth > MAX_DELETIONS {
            return None;
        }
        let deletions = self.deletions.into_iter().rev();
        let op = deletions.fold(None, |otherwise, range| {
            Some(if_present(
                range.key,
                range.range_end,
                put.clone(),
                otherwise,
            ))
        });
        Some((op?, depth))
    }
}

/// Does `then` if there is a key in the range, else what is `otherwise`.
pub(super) fn if_present(key: Bytes, range_end: Bytes, then: Op, otherwise: Option<Op>) -> Op {
    let present = CompareVersion {
        result: CompareVersion::GREATER,
        key,
        range_end,
    };
    let op = |op| RequestOp { op: Some(op) };
    let txn = TxnRequest {
        compare: vec![present.encode_to_vec().into()],
        success: vec![op(then)],
        failure: otherwise.map(op).into_iter().collect(),
    };
    Op::Txn(txn.encode_to_vec().into())
}

/// Whether the range has this key.
pub(super) fn within(key: &[u8], start: &[u8], range_end: &[u8]) -> bool {
    match range_end {
        [] => key == start,
        [0] => key >= start,
        end => key >= start && key < end,
    }
}
