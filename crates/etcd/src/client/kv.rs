//! Keys and values.

use super::Client;
use etcd_client::{
    CompactionOptions, CompactionResponse, DeleteOptions, DeleteResponse, Error, GetOptions,
    GetResponse, PutOptions, PutResponse, Txn, TxnResponse,
};

impl Client {
    /// Puts a key: `Put`.
    ///
    /// # Errors
    ///
    /// [`Error::GRpcStatus`] as etcd answers, and [`Error::TransportError`].
    pub async fn put(
        &self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        options: Option<PutOptions>,
    ) -> Result<PutResponse, Error> {
        self.inner.kv_client().put(key, value, options).await
    }

    /// Gets a key or a range of keys: `Range`. A range that covers the companion prefix has the
    /// companions too.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn get(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<GetOptions>,
    ) -> Result<GetResponse, Error> {
        self.inner.kv_client().get(key, options).await
    }

    /// Deletes a key or a range of keys: `DeleteRange`. Their companions go with them and are
    /// not counted.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn delete(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<DeleteOptions>,
    ) -> Result<DeleteResponse, Error> {
        self.inner.kv_client().delete(key, options).await
    }

    /// Runs a transaction: `Txn`. The companions of both branches and of nested transactions
    /// are in it; their responses are not in what it returns.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.inner.kv_client().txn(txn).await
    }

    /// Discards the history before a revision: `Compact`. A watch of this crate that has not
    /// caught up by then finds no context for changes that were compacted.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn compact(
        &self,
        revision: i64,
        options: Option<CompactionOptions>,
    ) -> Result<CompactionResponse, Error> {
        self.inner.kv_client().compact(revision, options).await
    }
}
