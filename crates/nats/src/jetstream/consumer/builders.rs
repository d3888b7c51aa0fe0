//! What a pull request asks for: the builders of async-nats, option by option.

use super::{Batch, Messages, Origin};
use async_nats::jetstream::consumer::StreamError;
use async_nats::jetstream::consumer::pull::{self, BatchError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How many messages a request is for, if it does not say.
const DEFAULT_BATCH: usize = 200;

/// A pull request for the messages that are there now.
#[must_use = "builders do nothing unless `messages` is called"]
pub struct FetchBuilder<'c> {
    inner: pull::FetchBuilder<'c>,
    origin: &'c Arc<Origin>,
    most: usize,
}

impl<'c> FetchBuilder<'c> {
    pub(super) const fn new(inner: pull::FetchBuilder<'c>, origin: &'c Arc<Origin>) -> Self {
        Self {
            inner,
            origin,
            most: DEFAULT_BATCH,
        }
    }

    /// The most bytes of the messages, headers included.
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        self.map(|inner| inner.max_bytes(max_bytes))
    }

    /// The most messages; 200 if not said.
    pub fn max_messages(self, batch: usize) -> Self {
        Self {
            most: batch,
            ..self.map(|inner| inner.max_messages(batch))
        }
    }

    /// How often the server says that the request is alive.
    ///
    /// With async-nats 0.51 a message that comes after such a sign may be seen only when the
    /// request has expired.
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        self.map(|inner| inner.heartbeat(heartbeat))
    }

    /// How long the server keeps the request.
    pub fn expires(self, expires: Duration) -> Self {
        self.map(|inner| inner.expires(expires))
    }

    /// Waits until so many messages are pending (overflow priority).
    pub fn min_pending(self, min_pending: usize) -> Self {
        self.map(|inner| inner.min_pending(min_pending))
    }

    /// Waits until so many acknowledgements are pending (overflow priority).
    pub fn min_ack_pending(self, min_ack_pending: usize) -> Self {
        self.map(|inner| inner.min_ack_pending(min_ack_pending))
    }

    /// The priority group that the messages are for.
    pub fn group<T: Into<String>>(self, group: T) -> Self {
        self.map(|inner| inner.group(group))
    }

    fn map(self, change: impl FnOnce(pull::FetchBuilder<'c>) -> pull::FetchBuilder<'c>) -> Self {
        Self {
            inner: change(self.inner),
            ..self
        }
    }

    /// Sends the pull request.
    ///
    /// # Errors
    ///
    /// As the builder of the same name of async-nats; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes ends the span as cancelled; messages may have been
    /// asked for, which the server delivers again.
    pub async fn messages(self) -> Result<Batch, BatchError> {
        Batch::request(self.origin, self.most, self.inner.messages()).await
    }
}

impl fmt::Debug for FetchBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchBuilder").finish_non_exhaustive()
    }
}

/// A pull request that waits for messages until it expires.
#[must_use = "builders do nothing unless `messages` is called"]
pub struct BatchBuilder<'c> {
    inner: pull::BatchBuilder<'c>,
    origin: &'c Arc<Origin>,
    most: usize,
}

impl<'c> BatchBuilder<'c> {
    pub(super) const fn new(inner: pull::BatchBuilder<'c>, origin: &'c Arc<Origin>) -> Self {
        Self {
            inner,
            origin,
            most: DEFAULT_BATCH,
        }
    }

    /// The most bytes of the messages, headers included.
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        self.map(|inner| inner.max_bytes(max_bytes))
    }

    /// The most messages; 200 if not said.
    pub fn max_messages(self, batch: usize) -> Self {
        Self {
            most: batch,
            ..self.map(|inner| inner.max_messages(batch))
        }
    }

    /// How often the server says that the request is alive.
    ///
    /// With async-nats 0.51 a message that comes after such a sign may be seen only when the
    /// request has expired.
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        self.map(|inner| inner.heartbeat(heartbeat))
    }

    /// How long the server keeps the request.
    pub fn expires(self, expires: Duration) -> Self {
        self.map(|inner| inner.expires(expires))
    }

    /// Waits until so many messages are pending (overflow priority).
    pub fn min_pending(self, min_pending: usize) -> Self {
        self.map(|inner| inner.min_pending(min_pending))
    }

    /// Waits until so many acknowledgements are pending (overflow priority).
    pub fn min_ack_pending(self, min_ack_pending: usize) -> Self {
        self.map(|inner| inner.min_ack_pending(min_ack_pending))
    }

    /// The priority group that the messages are for.
    pub fn group<T: Into<String>>(self, group: T) -> Self {
        self.map(|inner| inner.group(group))
    }

    fn map(self, change: impl FnOnce(pull::BatchBuilder<'c>) -> pull::BatchBuilder<'c>) -> Self {
        Self {
            inner: change(self.inner),
            ..self
        }
    }

    /// Sends the pull request.
    ///
    /// # Errors
    ///
    /// As the builder of the same name of async-nats; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes ends the span as cancelled; messages may have been
    /// asked for, which the server delivers again.
    pub async fn messages(self) -> Result<Batch, BatchError> {
        Batch::request(self.origin, self.most, self.inner.messages()).await
    }
}

impl fmt::Debug for BatchBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchBuilder").finish_non_exhaustive()
    }
}

/// Pull requests without an end.
#[must_use = "builders do nothing unless `messages` is called"]
pub struct StreamBuilder<'c> {
    inner: pull::StreamBuilder<'c>,
    origin: &'c Arc<Origin>,
}

impl<'c> StreamBuilder<'c> {
    pub(super) const fn new(inner: pull::StreamBuilder<'c>, origin: &'c Arc<Origin>) -> Self {
        Self { inner, origin }
    }

    /// The most bytes of the messages, headers included of a pull request.
    pub fn max_bytes_per_batch(self, max_bytes: usize) -> Self {
        self.map(|inner| inner.max_bytes_per_batch(max_bytes))
    }

    /// The most messages of a pull request.
    pub fn max_messages_per_batch(self, max_messages: usize) -> Self {
        self.map(|inner| inner.max_messages_per_batch(max_messages))
    }

    /// How often the server says that the request is alive.
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        self.map(|inner| inner.heartbeat(heartbeat))
    }

    /// How long the server keeps the request.
    pub fn expires(self, expires: Duration) -> Self {
        self.map(|inner| inner.expires(expires))
    }

    /// Waits until so many messages are pending (overflow priority).
    pub fn min_pending(self, min_pending: usize) -> Self {
        self.map(|inner| inner.min_pending(min_pending))
    }

    /// Waits until so many acknowledgements are pending (overflow priority).
    pub fn min_ack_pending(self, min_ack_pending: usize) -> Self {
        self.map(|inner| inner.min_ack_pending(min_ack_pending))
    }

    /// The priority group that the messages are for.
    pub fn group<T: Into<String>>(self, group: T) -> Self {
        self.map(|inner| inner.group(group))
    }

    fn map(self, change: impl FnOnce(pull::StreamBuilder<'c>) -> pull::StreamBuilder<'c>) -> Self {
        Self {
            inner: change(self.inner),
            ..self
        }
    }

    /// Begins to pull.
    ///
    /// # Errors
    ///
    /// As the builder of the same name of async-nats.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes pulls nothing.
    pub async fn messages(self) -> Result<Messages<pull::Stream>, StreamError> {
        let inner = self.inner.messages().await?;
        Ok(Messages::new(inner, self.origin.clone()))
    }
}

impl fmt::Debug for StreamBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBuilder").finish_non_exhaustive()
    }
}
