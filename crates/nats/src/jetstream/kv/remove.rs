use super::Store;
use super::attributes::Operation;
use super::entry::KV_OPERATION;
use super::publish::{expecting, expiring};
use async_nats::HeaderMap;
use async_nats::header::NATS_ROLLUP;
use async_nats::jetstream::kv::{DeleteError, PurgeError};
use bytes::Bytes;
use std::time::Duration;

/// # Removing
///
/// As [Writing](#writing) does, each stores a message that says what became of the key, with the
/// context of its span: `delete $KV.{bucket}.>` or `purge $KV.{bucket}.>`.
impl Store {
    /// Deletes a key; its history stays. See [Removing](#removing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::delete`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn delete<T: AsRef<str>>(&self, key: T) -> Result<(), DeleteError> {
        self.delete_expect_revision(key, None).await
    }

    /// Deletes a key if `revision`, where one is given, is its last. See [Removing](#removing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::delete_expect_revision`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn delete_expect_revision<T: AsRef<str>>(
        &self,
        key: T,
        revision: Option<u64>,
    ) -> Result<(), DeleteError> {
        let mut headers = HeaderMap::new();
        headers.append(KV_OPERATION, "DEL");
        if let Some(revision) = revision {
            headers = expecting(headers, revision);
        }
        self.remove(Operation::Delete, key.as_ref(), headers).await
    }

    /// Deletes a key and its history. See [Removing](#removing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::purge`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn purge<T: AsRef<str>>(&self, key: T) -> Result<(), PurgeError> {
        self.purge_maybe_ttl(key.as_ref(), None, None).await
    }

    /// Like [`purge`](Self::purge); what says that the key was purged expires after `ttl`, of
    /// which the server takes whole seconds. Needs nats-server 2.11, and a bucket with
    /// [`limit_markers`](async_nats::jetstream::kv::Config::limit_markers).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::purge_with_ttl`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn purge_with_ttl<T: AsRef<str>>(
        &self,
        key: T,
        ttl: Duration,
    ) -> Result<(), PurgeError> {
        self.purge_maybe_ttl(key.as_ref(), None, Some(ttl)).await
    }

    /// Like [`purge`](Self::purge), if `revision`, where one is given, is the key's last.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::purge_expect_revision`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn purge_expect_revision<T: AsRef<str>>(
        &self,
        key: T,
        revision: Option<u64>,
    ) -> Result<(), PurgeError> {
        self.purge_maybe_ttl(key.as_ref(), revision, None).await
    }

    /// Like [`purge_with_ttl`](Self::purge_with_ttl), if `revision` is the key's last.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::purge_expect_revision_with_ttl`]; the span ends as
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn purge_expect_revision_with_ttl<T: AsRef<str>>(
        &self,
        key: T,
        revision: u64,
        ttl: Duration,
    ) -> Result<(), PurgeError> {
        self.purge_maybe_ttl(key.as_ref(), Some(revision), Some(ttl))
            .await
    }

    async fn purge_maybe_ttl(
        &self,
        key: &str,
        revision: Option<u64>,
        ttl: Option<Duration>,
    ) -> Result<(), PurgeError> {
        let mut headers = HeaderMap::new();
        headers.append(KV_OPERATION, "PURGE");
        headers.append(NATS_ROLLUP, "sub");
        if let Some(ttl) = ttl {
            headers = expiring(headers, ttl);
        }
        if let Some(revision) = revision {
            headers = expecting(headers, revision);
        }
        self.remove(Operation::Purge, key, headers).await
    }

    async fn remove(
        &self,
        operation: Operation,
        key: &str,
        headers: HeaderMap,
    ) -> Result<(), DeleteError> {
        let removed = self.write(operation, key, Some(headers), Bytes::new());
        removed.await?;
        Ok(())
    }
}
