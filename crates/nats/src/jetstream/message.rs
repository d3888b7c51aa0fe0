use super::consumer::Origin;
use super::settle::Settled;
use super::{Acker, attributes};
use async_nats::Error;
use async_nats::datetime::DateTime;
use async_nats::jetstream::{self, AckKind};
use opentelemetry::KeyValue;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

/// An [`async_nats::jetstream::Message`] whose settlement is recorded, as
/// [`Settlement`](super::Settlement) says.
///
/// Reads as the message itself, `info` included; the methods here hide those of the same name.
#[derive(Clone, Debug)]
pub struct Message {
    inner: jetstream::Message,
    facts: Option<Facts>,
    origin: Arc<Origin>,
}

/// What the server says of a message that it delivers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Its place in the stream.
    pub(super) sequence: u64,
    /// How often it has been delivered.
    pub(super) delivered: i64,
    /// When the server stored it.
    pub(super) published: Option<SystemTime>,
}

impl Facts {
    /// What the reply subject says; nothing if it is not one of JetStream's.
    pub(super) fn of(message: &jetstream::Message) -> Option<Self> {
        let info = message.info().ok()?;
        // Not every platform can tell any earlier time.
        let published = Some(info.published).filter(|at| *at >= DateTime::UNIX_EPOCH);
        Some(Self {
            sequence: info.stream_sequence,
            delivered: info.delivered,
            published: published.map(SystemTime::from),
        })
    }

    /// Of a span that begins to process it now.
    pub(super) fn attributes(self) -> impl Iterator<Item = KeyValue> {
        let queued = self.published.and_then(|at| at.elapsed().ok());
        [
            attributes::delivery_attempt(self.delivered),
            attributes::sequence(self.sequence),
        ]
        .into_iter()
        .chain(queued.map(attributes::queue_time))
    }
}

impl Message {
    pub(super) const fn new(
        inner: jetstream::Message,
        facts: Option<Facts>,
        origin: Arc<Origin>,
    ) -> Self {
        Self {
            inner,
            facts,
            origin,
        }
    }

    pub(super) const fn facts(&self) -> Option<Facts> {
        self.facts
    }

    /// Acknowledges the message: `+ACK`. Does not wait for the server.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Message::ack`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes sends nothing.
    pub async fn ack(&self) -> Result<(), Error> {
        self.settle(AckKind::Ack, false, self.inner.ack()).await
    }

    /// Settles the message: acknowledged, to be delivered again, not to be, or still in progress.
    /// Does not wait for the server.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Message::ack_with`].
    ///
    /// # Cancel safety
    ///
    /// As [`ack`](Self::ack).
    pub async fn ack_with(&self, kind: AckKind) -> Result<(), Error> {
        self.settle(kind, false, self.inner.ack_with(kind)).await
    }

    /// Acknowledges the message, and waits until the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Message::double_ack`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the confirmation; the server may have the acknowledgement.
    pub async fn double_ack(&self) -> Result<(), Error> {
        self.double_ack_with(AckKind::Ack).await
    }

    /// Settles the message, and waits until the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Message::double_ack_with`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`double_ack`](Self::double_ack).
    pub async fn double_ack_with(&self, kind: AckKind) -> Result<(), Error> {
        let settling = self.inner.double_ack_with(kind);
        self.settle(kind, true, settling).await
    }

    async fn settle(
        &self,
        kind: AckKind,
        confirmed: bool,
        settling: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let settled = Settled {
            origin: &self.origin,
            subject: &self.inner.subject,
            facts: self.facts,
        };
        let link = || self.origin.link(&self.inner);
        settled.run(kind, confirmed, link, settling).await
    }

    /// The message, and what settles it later.
    pub fn split(self) -> (async_nats::Message, Acker) {
        let link = self.origin.link(&self.inner);
        let subject = self.inner.subject.clone();
        let (message, inner) = self.inner.split();
        let acker = Acker {
            inner,
            subject,
            facts: self.facts,
            link,
            origin: self.origin,
        };
        (message, acker)
    }

    /// The message alone.
    #[must_use]
    pub fn into_inner(self) -> jetstream::Message {
        self.inner
    }
}

impl Deref for Message {
    type Target = jetstream::Message;

    fn deref(&self) -> &jetstream::Message {
        &self.inner
    }
}

impl From<Message> for async_nats::Message {
    fn from(message: Message) -> Self {
        message.inner.into()
    }
}
