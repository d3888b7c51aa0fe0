//! The parts of etcd's `KV` messages that companions need, field numbers as in `rpc.proto`.
//!
//! Everything else stays bytes: a message field has the encoding of a bytes field, so what is
//! not looked into is passed on as it was.

use bytes::Bytes;
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
    #[prost(int64, tag = "3")]
    pub(super) lease: i64,
    #[prost(bool, tag = "4")]
    pub(super) prev_kv: bool,
    #[prost(bool, tag = "6")]
    pub(super) ignore_lease: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteRangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) range_end: Bytes,
}

/// What companions need of it; the user's own request is sent as it came.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) range_end: Bytes,
    #[prost(int64, tag = "3")]
    pub(super) limit: i64,
    #[prost(int64, tag = "4")]
    pub(super) revision: i64,
    #[prost(int32, tag = "5")]
    pub(super) sort_order: i32,
    #[prost(int32, tag = "6")]
    pub(super) sort_target: i32,
    #[prost(bool, tag = "7")]
    pub(super) serializable: bool,
    #[prost(bool, tag = "9")]
    pub(super) count_only: bool,
    #[prost(int64, tag = "10")]
    pub(super) min_mod_revision: i64,
    #[prost(int64, tag = "11")]
    pub(super) max_mod_revision: i64,
}

impl RangeRequest {
    /// `SortOrder.DESCEND`
    pub(super) const DESCEND: i32 = 2;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnRequest {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) compare: Vec<Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub(super) success: Vec<RequestOp>,
    #[prost(message, repeated, tag = "3")]
    pub(super) failure: Vec<RequestOp>,
}

/// An operation; `None` is one that came to etcd after this was written.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestOp {
    #[prost(oneof = "Op", tags = "1, 2, 3, 4")]
    pub(super) op: Option<Op>,
}

/// A request or a response in a transaction: the numbers are the same.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Op {
    #[prost(bytes = "bytes", tag = "1")]
    Range(Bytes),
    #[prost(bytes = "bytes", tag = "2")]
    Put(Bytes),
    #[prost(bytes = "bytes", tag = "3")]
    DeleteRange(Bytes),
    #[prost(bytes = "bytes", tag = "4")]
    Txn(Bytes),
}

/// Without a target value: a comparison with version 0.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CompareVersion {
    #[prost(int32, tag = "1")]
    pub(super) result: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "64")]
    pub(super) range_end: Bytes,
}

impl CompareVersion {
    /// `CompareResult.GREATER`
    pub(super) const GREATER: i32 = 1;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnResponse {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) header: Option<Bytes>,
    #[prost(bool, tag = "2")]
    pub(super) succeeded: bool,
    #[prost(message, repeated, tag = "3")]
    pub(super) responses: Vec<ResponseOp>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResponseOp {
    #[prost(oneof = "Op", tags = "1, 2, 3, 4")]
    pub(super) op: Option<Op>,
}

/// The field that every response has.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Headed {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) header: Option<Bytes>,
}
