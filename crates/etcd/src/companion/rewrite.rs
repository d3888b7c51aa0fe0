//! From the user's request to a transaction that has the companions too.

use super::keys::Prefix;
use super::note::{Note, if_present, within};
use super::restore::{Branches, Part};
use super::wire::{DeleteRangeRequest, Op, PutRequest, RequestOp, TxnRequest};
use super::write::Rpc;
use crate::breaker::Breaker;
use crate::places::{Place, Places};
use bytes::Bytes;
use prost::Message;
use std::time::Instant;

/// How many operations etcd takes in a transaction, if not configured otherwise
/// (`--max-txn-ops`). Each of the three lists counts by itself; a nested transaction has what
/// its parent's longest list leaves.
pub(crate) const MAX_TXN_OPS: usize = 128;

/// Adds companions to requests.
pub(super) struct Rewriter<'r> {
    pub(super) prefix: &'r Prefix,
    pub(super) places: &'r Places,
    /// The value beside what is put; without one only deletions are accompanied.
    pub(super) companion: Option<&'r Bytes>,
    /// What is rewritten.
    pub(super) rpc: Rpc,
    /// Whether etcd checks what the user may do.
    pub(super) authenticated: bool,
    /// Whether deletions leave a note of who deleted.
    pub(super) leaves_notes: bool,
}

/// A transaction with companions, and which of its operations they are.
pub(super) struct Rewritten {
    pub(super) txn: TxnRequest,
    pub(super) branches: Branches,
    pub(super) has_notes: bool,
    /// A branch has deletions of which no note can be left.
    pub(super) lacks_notes: bool,
    /// The smallest `--max-txn-ops` that admits the user's transaction, and this one.
    own_ops: usize,
    all_ops: usize,
}

impl Rewritten {
    /// Why it is not tried: the companions are too much for a server that the transaction alone
    /// is not, or were refused before.
    pub(super) fn is_left_out(&self, refusals: &Breaker, now: Instant) -> Option<&'static str> {
        if self.own_ops <= MAX_TXN_OPS && self.all_ops > MAX_TXN_OPS {
            return Some("too many operations");
        }
        (!refusals.admits(now)).then_some("refused by the server before")
    }
}

impl Rewriter<'_> {
    /// `None` where the request cannot be read.
    pub(super) fn txn(&self, txn: TxnRequest) -> Option<Rewritten> {
        self.rewrite(txn, self.leaves_notes)
    }

    fn rewrite(&self, txn: TxnRequest, leaves_notes: bool) -> Option<Rewritten> {
        let compares = txn.compare.len();
        let (own_success, own_failure) = (txn.success.len(), txn.failure.len());
        let success = self.branch(txn.success, leaves_notes)?;
        let failure = self.branch(txn.failure, leaves_notes)?;
        let own = compares.max(own_success).max(own_failure);
        let all = compares.max(success.ops.len()).max(failure.ops.len());
        Some(Rewritten {
            has_notes: success.has_note || failure.has_note,
            lacks_notes: success.lacks_note || failure.lacks_note,
            own_ops: own + success.nested_own_ops.max(failure.nested_own_ops),
            all_ops: all + success.nested_all_ops.max(failure.nested_all_ops),
            txn: TxnRequest {
                compare: txn.compare,
                success: success.ops,
                failure: failure.ops,
            },
            branches: Branches {
                success: success.parts,
                failure: failure.parts,
            },
        })
    }

    fn branch(&self, ops: Vec<RequestOp>, leaves_note: bool) -> Option<Branch> {
        let mut branch = Branch::default();
        let mut note = Note::default();
        for RequestOp { op } in ops {
            match op? {
                Op::Put(put) => {
                    let companion = self.put(PutRequest::decode(put.clone()).ok()?);
                    branch.push(Op::Put(put), Part::Own);
                    branch.extend(companion);
                    note.has_put();
                }
                Op::DeleteRange(delete) => {
                    let range = DeleteRangeRequest::decode(delete.clone()).ok()?;
                    if self.has_companions(&range) {
                        // Before the user's own: a range over all keys then neither counts nor
                        // returns the companions.
                        branch.extend(self.delete_note(&range));
                        branch.extend(Some(self.delete(&range)));
                        note.of(&range, self.prefix);
                    }
                    branch.push(Op::DeleteRange(delete), Part::Own);
                }
                Op::Txn(txn) => {
                    // One transaction puts a key once: only the outermost leaves a note.
                    let nested = self.rewrite(TxnRequest::decode(txn).ok()?, false)?;
                    branch.nested_own_ops = branch.nested_own_ops.max(nested.own_ops);
                    branch.nested_all_ops = branch.nested_all_ops.max(nested.all_ops);
                    let txn = nested.txn.encode_to_vec().into();
                    branch.push(Op::Txn(txn), Part::Nested(nested.branches));
                }
                other @ Op::Range(_) => branch.push(other, Part::Own),
            }
        }
        if leaves_note && let Some(block) = self.companion {
            branch.leave(note, self.prefix, block);
        }
        Some(branch)
    }

    fn put(&self, put: PutRequest) -> Option<Op> {
        let value = self.companion?;
        if self.places.of(&put.key) != Place::Companion {
            return None;
        }
        if self.authenticated && self.is_guarded(&put) {
            return None;
        }
        let key = self.prefix.of(&put.key);
        let companion = PutRequest {
            key: key.clone(),
            value: value.clone(),
            lease: put.lease,
            ignore_lease: put.ignore_lease,
            prev_kv: false,
        };
        let op = Op::Put(companion.encode_to_vec().into());
        if !put.ignore_lease {
            return Some(op);
        }
        // "Keep the lease" fails for a key that is not there.
        Some(if_present(key, Bytes::new(), op, None))
    }

    /// Whether a companion would change what etcd permits. Of a put by itself etcd checks also
    /// the right to read the previous value, and that to write every key of the lease; in a
    /// transaction etcd 3.4 does not. And whoever attaches a key to the lease would need the
    /// right to write the companion.
    fn is_guarded(&self, put: &PutRequest) -> bool {
        put.lease != 0 || put.prev_kv && self.rpc == Rpc::Put
    }

    fn has_companions(&self, range: &DeleteRangeRequest) -> bool {
        let (key, end) = (&range.key, &range.range_end);
        let is_companion = self.prefix.strip(key).is_some();
        !key.is_empty() && !is_companion && self.places.may_have(Place::Companion, key, end)
    }

    fn delete(&self, range: &DeleteRangeRequest) -> Op {
        let companions = DeleteRangeRequest {
            key: self.prefix.of(&range.key),
            range_end: self.prefix.range_end(&range.range_end),
        };
        Op::DeleteRange(companions.encode_to_vec().into())
    }

    /// The note goes with a range around it, and is not counted either.
    fn delete_note(&self, range: &DeleteRangeRequest) -> Option<Op> {
        let note = DeleteRangeRequest {
            key: self.prefix.note(),
            range_end: Bytes::new(),
        };
        let is_within = within(&note.key, &range.key, &range.range_end);
        is_within.then(|| Op::DeleteRange(note.encode_to_vec().into()))
    }
}

/// Whether there is a deletion that can leave a note.
pub(super) fn deletes(txn: &TxnRequest) -> bool {
    let mut ops = txn.success.iter().chain(&txn.failure);
    ops.any(|op| matches!(op.op, Some(Op::DeleteRange(_))))
}

#[derive(Default)]
struct Branch {
    ops: Vec<RequestOp>,
    parts: Vec<Part>,
    nested_own_ops: usize,
    nested_all_ops: usize,
    has_note: bool,
    lacks_note: bool,
}

impl Branch {
    fn leave(&mut self, note: Note, prefix: &Prefix, block: &Bytes) {
        if note.is_empty() {
            return;
        }
        match note.write(prefix, block) {
            Some((op, depth)) => {
                self.push(op, Part::Companion);
                self.nested_all_ops = self.nested_all_ops.max(depth);
                self.has_note = true;
            }
            None => self.lacks_note = true,
        }
    }

    fn push(&mut self, op: Op, part: Part) {
        self.ops.push(RequestOp { op: Some(op) });
        self.parts.push(part);
    }

    fn extend(&mut self, companion: Option<Op>) {
        if let Some(op) = companion {
            if matches!(op, Op::Txn(_)) {
                self.nested_all_ops = self.nested_all_ops.max(1);
            }
            self.push(op, Part::Companion);
        }
    }
}
