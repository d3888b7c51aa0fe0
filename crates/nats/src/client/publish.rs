use super::Client;
use crate::attributes::{self, Operation};
use async_nats::client::PublishError;
use async_nats::client::traits::Publisher;
use async_nats::message::OutboundMessage;
use async_nats::{HeaderMap, Subject, ToSubject};
use bytes::Bytes;
use dynamo_trace_core::SpanGuard;

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
/// Use subjects of low cardinality: they become span names. Those for replies do not (inboxes by the
/// usual prefixes, `_INBOX`, and by this client's own), and of one of a bucket (`$KV.`, `$O.`) only the
/// bucket does.
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
        let subject = subject.to_subject();
        let (guard, headers) = self.begin(&subject, None, &payload);
        let message = message(subject, None, headers, payload);
        end(guard, self.inner.publish_message(message).await)
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
        let subject = subject.to_subject();
        let (guard, headers) = self.begin(&subject, Some(headers), &payload);
        let message = message(subject, None, headers, payload);
        end(guard, self.inner.publish_message(message).await)
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
        let (subject, reply) = (subject.to_subject(), reply.to_subject());
        let (guard, headers) = self.begin(&subject, None, &payload);
        let message = message(subject, Some(reply), headers, payload);
        end(guard, self.hand_over(message).await)
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
        let (subject, reply) = (subject.to_subject(), reply.to_subject());
        let (guard, headers) = self.begin(&subject, Some(headers), &payload);
        let message = message(subject, Some(reply), headers, payload);
        end(guard, self.hand_over(message).await)
    }

    /// Publishes a message that is put together already, as
    /// [`Publisher::publish_message`](async_nats::client::traits::Publisher::publish_message)
    /// does. See [Publishing](#publishing). Its reply subject is not checked.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_message(&self, mut message: OutboundMessage) -> Result<(), PublishError> {
        let guard = self.begin_message(&mut message);
        end(guard, self.inner.publish_message(message).await)
    }

    pub(super) fn begin_message(&self, message: &mut OutboundMessage) -> SpanGuard {
        let headers = message.headers.take();
        let (guard, headers) = self.begin(&message.subject, headers, &message.payload);
        message.headers = headers;
        guard
    }

    /// Starts the span of a message, and gives the headers with its context. What follows need not
    /// run inside the span: it is nothing of the user's.
    fn begin(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: &Bytes,
    ) -> (SpanGuard, Option<HeaderMap>) {
        let size = self.size(payload.len());
        let settings = &self.settings;
        settings.start_send(Operation::Publish, subject, headers, size)
    }

    /// To the connection, as it is.
    pub(super) async fn hand_over(&self, message: OutboundMessage) -> Result<(), PublishError> {
        let inner = &self.inner;
        let OutboundMessage {
            subject,
            reply: Some(reply),
            payload,
            headers,
        } = message
        else {
            // It takes the subject itself, the others a copy.
            return inner.publish_message(message).await;
        };
        // `publish_message` would not check the reply subject.
        match headers {
            None => inner.publish_with_reply(subject, reply, payload).await,
            Some(headers) => {
                inner
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            }
        }
    }
}

const fn message(
    subject: Subject,
    reply: Option<Subject>,
    headers: Option<HeaderMap>,
    payload: Bytes,
) -> OutboundMessage {
    OutboundMessage {
        subject,
        reply,
        payload,
        headers,
    }
}

pub(super) fn end(guard: SpanGuard, sent: Result<(), PublishError>) -> Result<(), PublishError> {
    guard.end(attributes::published(&sent));
    sent
}
