use super::{Context, PublishAckFuture, error_type};
use crate::attributes::Operation;
use async_nats::jetstream::context::{self, PublishError};
use async_nats::jetstream::message::{OutboundMessage, PublishMessage};
use async_nats::{HeaderMap, ToSubject};
use bytes::Bytes;
use dynamo_trace_core::{Ending, SpanGuard};

/// # Publishing
///
/// Each starts a span `publish {subject}`, of kind PRODUCER and a child of the span that is
/// current when the future is first polled, and sends its context in the headers. The span covers
/// the acknowledgement too: it ends when the [`PublishAckFuture`] that this returns has it, with
/// the stream (`messaging.nats.stream`), the sequence there (`messaging.nats.message.sequence`)
/// and, where the server had the message already, `messaging.nats.message.duplicate`.
///
/// It fails with `error.type` `stream_not_found`, `wrong_last_message_id`,
/// `wrong_last_sequence`, `timeout`, `connection_closed`, `max_ack_pending`,
/// `max_payload_exceeded`, `invalid_subject`, `_OTHER`, or the server's JetStream error code: a
/// stream that is full is `10077`.
///
/// Where the headers would make the message larger than the server takes (`max_payload`, 64 KiB of
/// headers), they are left out, as of a plain message. A stream's own `max_message_size` counts
/// headers too: it is known of streams that this context, or a clone of it, has created or got.
/// Any other refuses the message for them as it would for headers of one's own (`10054`).
///
/// A `traceparent` that the caller put into the headers is the message's creation context: it is
/// sent as it is, with nothing added, and the span, of kind CLIENT, links to it.
impl Context {
    /// Publishes a message. See [Publishing](#publishing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::publish`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes publishes nothing, and ends the span as cancelled.
    ///
    /// ```no_run
    /// # async fn example(jetstream: dynamo_trace_nats::jetstream::Context) -> Result<(), async_nats::Error> {
    /// let ack = jetstream.publish("orders", "order".into()).await?.await?;
    /// println!("{} of {}", ack.sequence, ack.stream);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish<S: ToSubject>(
        &self,
        subject: S,
        payload: Bytes,
    ) -> Result<PublishAckFuture, PublishError> {
        let message = OutboundMessage::new(subject.to_subject(), payload, None);
        self.hand_over(message).await
    }

    /// Publishes a message with headers. See [Publishing](#publishing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::publish_with_headers`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with_headers<S: ToSubject>(
        &self,
        subject: S,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<PublishAckFuture, PublishError> {
        let message = OutboundMessage::new(subject.to_subject(), payload, Some(headers));
        self.hand_over(message).await
    }

    /// Publishes a message with a message id or expectations. See [Publishing](#publishing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::send_publish`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn send_publish<S: ToSubject>(
        &self,
        subject: S,
        publish: PublishMessage,
    ) -> Result<PublishAckFuture, PublishError> {
        self.hand_over(publish.outbound_message(subject)).await
    }

    async fn hand_over(&self, message: OutboundMessage) -> Result<PublishAckFuture, PublishError> {
        let (guard, inner) = self.start_publish(message).await?;
        Ok(PublishAckFuture::new(inner, guard))
    }

    /// To the connection; gives the span that waits for the acknowledgement.
    pub(super) async fn start_publish(
        &self,
        message: OutboundMessage,
    ) -> Result<(SpanGuard, context::PublishAckFuture), PublishError> {
        let size = self.stored_size(&message.subject, message.payload.len());
        let (guard, headers) =
            self.settings
                .start_send(Operation::Publish, &message.subject, message.headers, size);
        let publish = PublishMessage::build().payload(message.payload);
        let publish = match headers {
            Some(headers) => publish.headers(headers),
            None => publish,
        };
        match (**self).send_publish(message.subject, publish).await {
            Ok(ack) => Ok((guard, ack)),
            Err(error) => {
                guard.end(Ending::failed(error_type::not_stored(&error)));
                Err(error)
            }
        }
    }
}
