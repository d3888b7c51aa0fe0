use super::Store;
use super::attributes::{Operation, watched};
use async_nats::jetstream::kv::{self, EntryError, HistoryError};
use bytes::Bytes;
use dynamo_trace_core::Received;

/// # Reading
///
/// Each starts a CLIENT span such as `get $KV.{bucket}.>`, a child of the span that is current
/// when the future is first polled. It ends when the answer is in; where that is an entry, linked
/// to the span that wrote it. It fails with `error.type` `invalid_key`, `timeout`, `consumer_create` or `_OTHER`;
/// a key without a value is no failure.
impl Store {
    /// The value of a key, unless it has none. See [Reading](#reading).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::get`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled.
    ///
    /// ```no_run
    /// # async fn example(bucket: dynamo_trace_nats::jetstream::kv::Store) -> Result<(), async_nats::Error> {
    /// if let Some(value) = bucket.get("model").await? {
    ///     println!("{} bytes", value.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get<T: Into<String>>(&self, key: T) -> Result<Option<Bytes>, EntryError> {
        let entry = self.entry(key).await?.map(Received::into_inner);
        let entry = entry.filter(|entry| entry.operation == kv::Operation::Put);
        Ok(entry.map(|entry| entry.value))
    }

    /// The last entry of a key, with the context of its writer, to which the span that
    /// [processes](Received::process) it is linked. See [Reading](#reading).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::entry`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled.
    pub async fn entry<T: Into<String>>(
        &self,
        key: T,
    ) -> Result<Option<Received<kv::Entry>>, EntryError> {
        self.read(key.into(), None).await
    }

    /// Like [`entry`](Self::entry), of this revision; nothing if that is another key's.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::entry_for_revision`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled.
    pub async fn entry_for_revision<T: Into<String>>(
        &self,
        key: T,
        revision: u64,
    ) -> Result<Option<Received<kv::Entry>>, EntryError> {
        self.read(key.into(), Some(revision)).await
    }

    /// The entries of a key, oldest first, without the contexts of their writers. The span ends
    /// when the server begins to send them. See [Reading](#reading).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::history`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled.
    pub async fn history<T: AsRef<str>>(&self, key: T) -> Result<kv::History, HistoryError> {
        let guard = self.bucket.start(Operation::History, Some(key.as_ref()));
        guard.run_judged(self.inner.history(key), watched).await
    }

    /// The keys that have a value. The span ends when the server begins to send them. See
    /// [Reading](#reading).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::kv::Store::keys`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled.
    pub async fn keys(&self) -> Result<kv::Keys, HistoryError> {
        let guard = self.bucket.start(Operation::Keys, None);
        guard.run_judged(self.inner.keys(), watched).await
    }
}
