use super::wire::{Op, RequestOp, TxnRequest};
use bytes::Bytes;
use http::Uri;
use prost::Message;

/// An RPC that reads or writes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    Put,
    DeleteRange,
    Txn,
    Range,
}

impl Rpc {
    const ALL: [Self; 4] = [Self::Put, Self::DeleteRange, Self::Txn, Self::Range];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Put => "/etcdserverpb.KV/Put",
            Self::DeleteRange => "/etcdserverpb.KV/DeleteRange",
            Self::Txn => "/etcdserverpb.KV/Txn",
            Self::Range => "/etcdserverpb.KV/Range",
        }
    }

    pub(super) fn of(uri: &Uri) -> Option<Self> {
        Self::ALL.into_iter().find(|rpc| rpc.path() == uri.path())
    }

    /// The request as a transaction; `None` where it cannot be read.
    pub(super) fn to_txn(self, request: Bytes) -> Option<TxnRequest> {
        let op = match self {
            Self::Put => Op::Put(request),
            Self::DeleteRange => Op::DeleteRange(request),
            Self::Range => Op::Range(request),
            Self::Txn => return TxnRequest::decode(request).ok(),
        };
        Some(TxnRequest {
            success: vec![RequestOp { op: Some(op) }],
            ..TxnRequest::default()
        })
    }
}
