use super::Client;
use crate::attributes::{self, Operation};
use async_nats::client::PublishError;
use async_nats::client::traits::Publisher;
use async_nats::message::OutboundMessage;
use async_nats::{HeaderMap, Subject, ToSubject};
use bytes::Bytes;

/// # Publishing
///
/// Each starts a span `publish {subject}`, a child of the span that is current when the future is
/// first polled, and sends its context in the headers. The span ends when the message is handed
/// to the connection's buffer, as the future does: it says nothing of the server, and shows a
/// wait only where the buffer was full. Its kind is PRODUCER.
///
/// A `traceparent` that the caller put into the headers is the message's creation context: it is
/// sent as it is, with nothing added, and the span, of kind CLIENT, links to it.
///
/// Use subjects of low cardinality: they become span names. Inboxes do not.
impl Client {
    /// Publishes a message. See [Publishing](#publishing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes publishes nothing, and ends the span as cancelled.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::client::PublishError> {
    /// nats.publish("events", "started".into()).await
    /// # }
    /// ```
    pub async fn publish<S: ToSubject>(
        &self,
        subject: S,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.send(subject.to_subject(), None, None, payload).await
    }

    /// Publishes a message with headers. See [Publishing](#publishing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish_with_headers`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with_headers<S: ToSubject>(
        &self,
        subject: S,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.send(subject.to_subject(), None, Some(headers), payload)
            .await
    }

    /// Publishes a message that asks for replies on the subject `reply`. See
    /// [Publishing](#publishing); the span does not wait for replies.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish_with_reply`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with_reply<S: ToSubject, R: ToSubject>(
        &self,
        subject: S,
        reply: R,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let reply = Some(reply.to_subject());
        self.send(subject.to_subject(), reply, None, payload).await
    }

    /// Publishes a message with headers that asks for replies on the subject `reply`. See
    /// [Publishing](#publishing); the span does not wait for replies.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish_with_reply_and_headers`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with_reply_and_headers<S: ToSubject, R: ToSubject>(
        &self,
        subject: S,
        reply: R,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let reply = Some(reply.to_subject());
        self.send(subject.to_subject(), reply, Some(headers), payload)
            .await
    }

    async fn send(
        &self,
        subject: Subject,
        reply: Option<Subject>,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let size = self.size(payload.len());
        let (guard, headers) =
            self.settings
                .start_send(Operation::Publish, &subject, headers, size);
        let sent = self.hand_over(subject, reply, headers, payload);
        guard.run_judged(sent, attributes::published).await
    }

    /// To the connection, as it is.
    pub(super) async fn hand_over(
        &self,
        subject: Subject,
        reply: Option<Subject>,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let inner = &self.inner;
        match (reply, headers) {
            // `publish_message` takes the subject itself, the others a copy.
            (None, headers) => {
                let message = OutboundMessage {
                    subject,
                    reply: None,
                    payload,
                    headers,
                };
                inner.publish_message(message).await
            }
            // `publish_message` would not check the reply subject.
            (Some(reply), None) => inner.publish_with_reply(subject, reply, payload).await,
            (Some(reply), Some(headers)) => {
                inner
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            }
        }
    }
}
