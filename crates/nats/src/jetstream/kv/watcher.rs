use super::bucket::Bucket;
use super::entry::operation_of;
use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::push::Ordered;
use async_nats::jetstream::kv::{Entry, WatcherError, WatcherErrorKind};
use async_nats::jetstream::{self, message};
use dynamo_trace_core::Received;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The entries of a bucket as they change, in order, each with the context of its writer: a
/// stream of [`Received`]. Made by the [`watch` methods](super::Store#watching) of a bucket.
///
/// A change continues the trace of its writer. An entry that the server stored before the watch
/// was set up, by its own clock, is linked to it. See [Continued or
/// linked](super#continued-or-linked).
///
/// What has arrived and is not yet taken has no span. An error does not end the stream: after a
/// lost connection or a missed heartbeat it goes on where it was, as that of async-nats does.
#[must_use = "dropping a watch ends it"]
pub struct Watch {
    inner: Ordered,
    bucket: Arc<Bucket>,
    created: DateTime,
    seen_current: bool,
}

impl Watch {
    pub(super) const fn new(
        inner: Ordered,
        bucket: Arc<Bucket>,
        created: DateTime,
        seen_current: bool,
    ) -> Self {
        Self {
            inner,
            bucket,
            created,
            seen_current,
        }
    }

    /// The next entry; nothing when the client has ended.
    ///
    /// # Errors
    ///
    /// As the items of [`async_nats::jetstream::kv::Watch`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no entry.
    pub async fn next(&mut self) -> Option<Result<Received<Entry>, WatcherError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn receive(&mut self, message: &jetstream::Message) -> Result<Received<Entry>, WatcherError> {
        let info = message
            .info()
            .map_err(|error| other(format!("failed to parse message metadata: {error}")))?;
        // One of another bucket; the server was asked for none.
        let Some(key) = message.subject.strip_prefix(&self.bucket.prefix) else {
            return Err(other("the subject is not one of the bucket's".to_owned()));
        };
        self.seen_current |= info.pending == 0;
        let entry = self.entry(key, message, &info);
        let remote = self.bucket.remote(message.headers.as_ref());
        let repeated = entry.created < self.created;
        Ok(self.bucket.receive(entry, remote, repeated))
    }

    fn entry(&self, key: &str, message: &jetstream::Message, info: &message::Info<'_>) -> Entry {
        Entry {
            bucket: self.bucket.name.clone(),
            key: key.to_owned(),
            value: message.payload.clone(),
            revision: info.stream_sequence,
            created: info.published,
            delta: info.pending,
            operation: operation_of(message.headers.as_ref()),
            seen_current: self.seen_current,
        }
    }
}

impl Stream for Watch {
    type Item = Result<Received<Entry>, WatcherError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(message.map(|message| self.receive(&message?)))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("bucket", &self.bucket.name)
            .field("seen_current", &self.seen_current)
            .finish_non_exhaustive()
    }
}

fn other(what: String) -> WatcherError {
    WatcherError::with_source(WatcherErrorKind::Other, what)
}
