use super::restore::Branches;
use super::wire::{Op, RequestOp, TxnRequest};
use bytes::Bytes;
use http::Uri;
use prost::Message;

/// An RPC that writes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    Put,
    DeleteRange,
    Txn,
}

impl Rpc {
    const ALL: [Self; 3] = [Self::Put, Self::DeleteRange, Self::Txn];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Put => "/etcdserverpb.KV/Put",
            Self::DeleteRange => "/etcdserverpb.KV/DeleteRange",
            Self::Txn => "/etcdserverpb.KV/Txn",
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
            Self::Txn => return TxnRequest::decode(request).ok(),
        };
        Some(TxnRequest {
            success: vec![RequestOp { op: Some(op) }],
            ..TxnRequest::default()
        })
    }
}

/// A call that became a transaction with companions.
pub(super) struct Write {
    pub(super) rpc: Rpc,
    pub(super) txn: TxnRequest,
    pub(super) branches: Branches,
}

impl Write {
    /// The message to send.
    pub(super) fn request(&self) -> Vec<u8> {
        self.txn.encode_to_vec()
    }

    /// The response to the call that was made.
    pub(super) fn restore(&self, response: Bytes) -> Option<Bytes> {
        match self.rpc {
            Rpc::Txn => self.branches.txn(response),
            Rpc::Put | Rpc::DeleteRange => self.branches.single(response),
        }
    }
}
