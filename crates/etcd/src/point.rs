//! Reads of single keys, each at a revision, in one RPC.

use crate::aside::Aside;
use crate::counts::Loss;
use etcd_client::{Error, GetOptions, GetResponse, KvClient, Txn, TxnOp, TxnOpResponse};
use std::sync::Arc;
use tonic::Code;

/// A key at a revision.
#[derive(Clone)]
pub(crate) struct Point {
    key: Vec<u8>,
    revision: i64,
    keys_only: bool,
}

impl Point {
    pub(crate) fn new(key: impl Into<Vec<u8>>, revision: i64) -> Self {
        Self {
            key: key.into(),
            revision,
            keys_only: false,
        }
    }

    /// The key as the member at hand knows it, which may be behind.
    pub(crate) fn latest(key: impl Into<Vec<u8>>) -> Self {
        Self::new(key, 0)
    }

    /// Without the value.
    pub(crate) fn keys_only(self) -> Self {
        Self {
            keys_only: true,
            ..self
        }
    }

    fn options(&self, serializable: bool) -> GetOptions {
        let mut options = GetOptions::new().with_revision(self.revision);
        if self.keys_only {
            options = options.with_keys_only();
        }
        if serializable {
            options = options.with_serializable();
        }
        options
    }
}

/// Reads them, at most [`MAX_TXN_OPS`](crate::companion::MAX_TXN_OPS), from the member at hand,
/// without asking its leader: what has a revision does not change. A response of more than
/// `max_len` bytes is given up when its length is known.
pub(crate) async fn read(
    kv: &mut KvClient,
    points: &[Point],
    max_len: usize,
) -> Result<Vec<GetResponse>, Error> {
    let options = |serializable| Options {
        serializable,
        max_len,
    };
    match read_from(kv, points, options(true)).await {
        // Another member than the one that told of the revision, and it is behind.
        Err(Error::GRpcStatus(status))
            if status.code() == Code::OutOfRange
                && status.message().contains("future revision") =>
        {
            read_from(kv, points, options(false)).await
        }
        read => read,
    }
}

#[derive(Clone, Copy)]
struct Options {
    serializable: bool,
    max_len: usize,
}

async fn read_from(
    kv: &mut KvClient,
    points: &[Point],
    options: Options,
) -> Result<Vec<GetResponse>, Error> {
    let Options {
        serializable,
        max_len,
    } = options;
    if let [point] = points {
        let options = Some(point.options(serializable));
        let mut kv = kv.clone().max_decoding_message_size(max_len);
        return Ok(vec![kv.get(point.key.clone(), options).await?]);
    }
    let ops = points.iter().map(|point| {
        let options = Some(point.options(serializable));
        TxnOp::get(point.key.clone(), options)
    });
    let txn = Txn::new().and_then(ops.collect::<Vec<_>>());
    // With something aside, the channel lets pass only what `op_responses` does not panic at.
    let response = Arc::new(Aside::limited(max_len))
        .during(kv.txn(txn))
        .await?;
    let found = response.op_responses().into_iter();
    let found: Vec<_> = found
        .filter_map(|op| match op {
            TxnOpResponse::Get(found) => Some(found),
            _ => None,
        })
        .collect();
    if found.len() != points.len() {
        let status = tonic::Status::internal("not the response to these reads");
        return Err(Error::GRpcStatus(status));
    }
    Ok(found)
}

/// Why what was read is not there.
pub(crate) fn loss(error: &Error) -> Loss {
    let Error::GRpcStatus(status) = error else {
        return Loss::Failed;
    };
    match status.code() {
        Code::PermissionDenied => Loss::Denied,
        Code::OutOfRange if status.message().contains("compacted") => Loss::Compacted,
        Code::OutOfRange if status.message().contains("too large") => Loss::TooLarge,
        _ => Loss::Failed,
    }
}
