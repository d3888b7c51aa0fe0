use super::Store;
use super::attributes::{Operation, created};
use super::publish::expecting;
use crate::jetstream::recording::Recording;
use async_nats::HeaderMap;
use async_nats::jetstream::kv::{CreateError, PutError, UpdateError};
use bytes::Bytes;
use std::time::Duration;

/// # Writing
///
/// Each starts a PRODUCER span such as `put $KV.{bucket}.>`, a child of the span that is current
/// when the future is first polled, and stores its context in the message's headers. The span
/// ends when the server has stored the message, with its revision
/// (`messaging.nats.message.sequence`). It fails with `error.type` `invalid_key`, `already_exists`,
/// or those of a [publish](crate::jetstream::Context#publishing): `wrong_last_sequence` where the
/// revision was another one.
///
/// Where the context does not fit, the value is written without; see [On the
/// wire](super#on-the-wire).
///
/// A bucket of another domain is written by way of the prefix of its context, which takes one
/// subscription for each write; such a write does not count among the messages in flight of
/// [`max_ack_inflight`](async_nats::jetstream::ContextBuilder::max_ack_inflight).
impl Store {
    /// Puts a value, and gives its revision. See [Writing](#writing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::put`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled; the value may have been written.
    ///
    /// ```no_run
    /// # async fn example(bucket: dynamo_trace_nats::jetstream::kv::Store) -> Result<(), async_nats::Error> {
    /// let revision = bucket.put("model", "ready".into()).await?;
    /// bucket.update("model", "busy".into(), revision).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put<T: AsRef<str>>(&self, key: T, value: Bytes) -> Result<u64, PutError> {
        let put = self.write(Operation::Put, key.as_ref(), None, value);
        Ok(put.await?)
    }

    /// Puts a value for a key that has none. See [Writing](#writing): there is one span, although
    /// several requests are sent where the key was deleted before.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::create`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn create<T: AsRef<str>>(&self, key: T, value: Bytes) -> Result<u64, CreateError> {
        self.create_within(key.as_ref(), value, None).await
    }

    /// Like [`create`](Self::create); the entry expires after `ttl`, of which the server takes
    /// whole seconds. Needs nats-server 2.11, and a bucket with
    /// [`limit_markers`](async_nats::jetstream::kv::Config::limit_markers). Where the key was
    /// deleted before, async-nats does not let it expire, and neither does this.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::create_with_ttl`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn create_with_ttl<T: AsRef<str>>(
        &self,
        key: T,
        value: Bytes,
        ttl: Duration,
    ) -> Result<u64, CreateError> {
        self.create_within(key.as_ref(), value, Some(ttl)).await
    }

    /// Puts a value if `revision` is the key's last. See [Writing](#writing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::update`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub async fn update<T: AsRef<str>>(
        &self,
        key: T,
        value: Bytes,
        revision: u64,
    ) -> Result<u64, UpdateError> {
        let headers = expecting(HeaderMap::new(), revision);
        let update = self.write(Operation::Update, key.as_ref(), Some(headers), value);
        Ok(update.await?)
    }

    async fn create_within(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<u64, CreateError> {
        let guard = self.bucket.start_write(Operation::Create, key, value.len());
        let span = Recording::of(&guard);
        let creating = self.create_or_recreate(&span, key, value, ttl);
        Ok(guard.run_judged(creating, created).await?)
    }
}
