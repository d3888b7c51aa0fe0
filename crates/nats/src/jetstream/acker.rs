use super::consumer::Origin;
use super::message::Facts;
use super::settle::Settled;
use async_nats::jetstream::{AckKind, message};
use async_nats::{Error, Subject};
use opentelemetry::trace::Link;
use std::sync::Arc;

/// An [`async_nats::jetstream::message::Acker`] that is recorded: what settles a message whose
/// content is elsewhere.
pub struct Acker {
    pub(super) inner: message::Acker,
    pub(super) subject: Subject,
    pub(super) facts: Option<Facts>,
    /// To the creation context of the message, if settlements may be spans.
    pub(super) link: Option<Link>,
    pub(super) origin: Arc<Origin>,
}

impl Acker {
    /// As [`Message::ack`](super::Message::ack).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::message::Acker::ack`].
    pub async fn ack(&self) -> Result<(), Error> {
        self.settle(AckKind::Ack, false, self.inner.ack()).await
    }

    /// As [`Message::ack_with`](super::Message::ack_with).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::message::Acker::ack_with`].
    pub async fn ack_with(&self, kind: AckKind) -> Result<(), Error> {
        self.settle(kind, false, self.inner.ack_with(kind)).await
    }

    /// As [`Message::double_ack`](super::Message::double_ack).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::message::Acker::double_ack`]; the span ends as failed.
    pub async fn double_ack(&self) -> Result<(), Error> {
        self.double_ack_with(AckKind::Ack).await
    }

    /// As [`Message::double_ack_with`](super::Message::double_ack_with).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::message::Acker::double_ack_with`]; the span ends as failed.
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
            subject: &self.subject,
            facts: self.facts,
        };
        let link = || self.link.clone();
        settled.run(kind, confirmed, link, settling).await
    }
}

impl std::fmt::Debug for Acker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acker")
            .field("subject", &self.subject)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
