//! From the user's request to a transaction that has the companions too.

use super::keys::Prefix;
use super::restore::{Branches, Part};
use super::wire::{CompareVersion, DeleteRangeRequest, Op, PutRequest, RequestOp, TxnRequest};
use super::write::Rpc;
use bytes::Bytes;
use prost::Message;

/// How many operations etcd takes in a transaction, if not configured otherwise
/// (`--max-txn-ops`). Each of the three lists counts by itself; a nested transaction has what
/// its parent's longest list leaves.
const MAX_TXN_OPS: usize = 128;

/// Adds companions to requests.
pub(super) struct Rewriter<'r> {
    pub(super) prefix: &'r Prefix,
    /// The value beside what is put; without one only deletions are accompanied.
    pub(super) companion: Option<&'r Bytes>,
    /// What is rewritten.
    pub(super) rpc: Rpc,
    /// Whether etcd checks what the user may do.
    pub(super) authenticated: bool,
}

/// A transaction with companions, and which of its operations they are.
pub(super) struct Rewritten {
    pub(super) txn: TxnRequest,
    pub(super) branches: Branches,
    /// The smallest `--max-txn-ops` that admits the user's transaction, and this one.
    own_ops: usize,
    all_ops: usize,
}

impl Rewritten {
    /// Whether the companions are too much for a server that the transaction alone is not.
    pub(super) fn is_too_long(&self) -> bool {
        self.own_ops <= MAX_TXN_OPS && self.all_ops > MAX_TXN_OPS
    }
}

impl Rewriter<'_> {
    /// `None` where the request cannot be read.
    pub(super) fn txn(&self, txn: TxnRequest) -> Option<Rewritten> {
        let compares = txn.compare.len();
        let (own_success, own_failure) = (txn.success.len(), txn.failure.len());
        let success = self.branch(txn.success)?;
        let failure = self.branch(txn.failure)?;
        let own = compares.max(own_success).max(own_failure);
        let all = compares.max(success.ops.len()).max(failure.ops.len());
        Some(Rewritten {
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

    fn branch(&self, ops: Vec<RequestOp>) -> Option<Branch> {
        let mut branch = Branch::default();
        for RequestOp { op } in ops {
            match op? {
                Op::Put(put) => {
                    let companion = self.put(PutRequest::decode(put.clone()).ok()?);
                    branch.push(Op::Put(put), Part::Own);
                    branch.extend(companion);
                }
                Op::DeleteRange(delete) => {
                    let range = DeleteRangeRequest::decode(delete.clone()).ok()?;
                    // Before the user's own: a range over all keys then neither counts nor
                    // returns the companions.
                    branch.extend(self.delete(&range));
                    branch.push(Op::DeleteRange(delete), Part::Own);
                }
                Op::Txn(txn) => {
                    let nested = self.txn(TxnRequest::decode(txn).ok()?)?;
                    branch.nested_own_ops = branch.nested_own_ops.max(nested.own_ops);
                    branch.nested_all_ops = branch.nested_all_ops.max(nested.all_ops);
                    let txn = nested.txn.encode_to_vec().into();
                    branch.push(Op::Txn(txn), Part::Nested(nested.branches));
                }
                other @ Op::Range(_) => branch.push(other, Part::Own),
            }
        }
        Some(branch)
    }

    fn put(&self, put: PutRequest) -> Option<Op> {
        let value = self.companion?;
        if put.key.is_empty() || self.prefix.strip(&put.key).is_some() {
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
        let present = CompareVersion {
            result: CompareVersion::GREATER,
            key,
        };
        let txn = TxnRequest {
            compare: vec![present.encode_to_vec().into()],
            success: vec![RequestOp { op: Some(op) }],
            failure: Vec::new(),
        };
        Some(Op::Txn(txn.encode_to_vec().into()))
    }

    /// Whether a companion would change what etcd permits. Of a put by itself etcd checks also
    /// the right to read the previous value, and that to write every key of the lease; in a
    /// transaction etcd 3.4 does not. And whoever attaches a key to the lease would need the
    /// right to write the companion.
    fn is_guarded(&self, put: &PutRequest) -> bool {
        put.lease != 0 || put.prev_kv && self.rpc == Rpc::Put
    }

    fn delete(&self, range: &DeleteRangeRequest) -> Option<Op> {
        if range.key.is_empty() || self.prefix.strip(&range.key).is_some() {
            return None;
        }
        let companions = DeleteRangeRequest {
            key: self.prefix.of(&range.key),
            range_end: self.prefix.range_end(&range.range_end),
        };
        Some(Op::DeleteRange(companions.encode_to_vec().into()))
    }
}

#[derive(Default)]
struct Branch {
    ops: Vec<RequestOp>,
    parts: Vec<Part>,
    nested_own_ops: usize,
    nested_all_ops: usize,
}

impl Branch {
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
