use super::{Store, Watch};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::kv::WatchError;

/// # Watching
///
/// Each starts a CLIENT span `watch $KV.{bucket}.>`, a child of the span that is current when the
/// future is first polled, which ends when the watch is set up; it fails as [Reading](#reading)
/// does. What [`Watch`] gives has spans of its own.
///
/// `key` may have wildcards: `*` for one token, `>` at the end for one or more.
impl Store {
    /// Watches the changes of a key, from now on. See [Watching](#watching).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::watch`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes ends the span as cancelled, and watches nothing.
    ///
    /// ```no_run
    /// # async fn example(bucket: dynamo_trace_nats::jetstream::kv::Store) -> Result<(), async_nats::Error> {
    /// let mut changes = bucket.watch("models.*").await?;
    /// while let Some(change) = changes.next().await {
    ///     change?
    ///         .process(|entry| async move { println!("{}", entry.key) })
    ///         .await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn watch<T: AsRef<str>>(&self, key: T) -> Result<Watch, WatchError> {
        self.watch_one(key.as_ref(), DeliverPolicy::New).await
    }

    /// Like [`watch`](Self::watch), beginning with the last entry of every key.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::watch_with_history`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_with_history<T: AsRef<str>>(&self, key: T) -> Result<Watch, WatchError> {
        self.watch_one(key.as_ref(), DeliverPolicy::LastPerSubject)
            .await
    }

    /// Like [`watch`](Self::watch), beginning with this revision.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::watch_from_revision`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_from_revision<T: AsRef<str>>(
        &self,
        key: T,
        revision: u64,
    ) -> Result<Watch, WatchError> {
        self.watch_one(key.as_ref(), from(revision)).await
    }

    /// [Watches](Self::watch) all keys.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_all(&self) -> Result<Watch, WatchError> {
        self.watch_one(">", DeliverPolicy::New).await
    }

    /// [Watches](Self::watch_from_revision) all keys, beginning with this revision.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_all_from_revision(&self, revision: u64) -> Result<Watch, WatchError> {
        self.watch_one(">", from(revision)).await
    }

    /// [Watches](Self::watch) several keys. Needs nats-server 2.10.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::watch_many`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_many<T, K>(&self, keys: K) -> Result<Watch, WatchError>
    where
        T: AsRef<str>,
        K: IntoIterator<Item = T>,
    {
        self.watch_several(keys, DeliverPolicy::New).await
    }

    /// [Watches](Self::watch_with_history) several keys, beginning with the last entry of every
    /// key. Needs nats-server 2.10.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::watch_many_with_history`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`watch`](Self::watch).
    pub async fn watch_many_with_history<T, K>(&self, keys: K) -> Result<Watch, WatchError>
    where
        T: AsRef<str>,
        K: IntoIterator<Item = T>,
    {
        self.watch_several(keys, DeliverPolicy::LastPerSubject)
            .await
    }
}

const fn from(revision: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence {
        start_sequence: revision,
    }
}
