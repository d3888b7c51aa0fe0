//! What generic code asks of a context.

use super::Context;
use crate::attributes::{Operation, published, requested};
use async_nats::client::traits as client;
use async_nats::client::{PublishError as SendError, RequestError};
use async_nats::jetstream::context::{
    PublishAckFuture, PublishError, RequestError as ApiError, traits,
};
use async_nats::jetstream::message::OutboundMessage;
use async_nats::{Message, Request, ToSubject};
use bytes::Bytes;
use dynamo_trace_core::Ending;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Publishes for generic code. The trait returns async-nats' own acknowledgement, so that the
/// span `publish {subject}` ends as the message is handed to the connection and says nothing of
/// the acknowledgement; with the methods of [`Context`] itself it does.
impl traits::Publisher for Context {
    async fn publish<S: ToSubject>(
        &self,
        subject: S,
        payload: Bytes,
    ) -> Result<PublishAckFuture, PublishError> {
        let message = OutboundMessage::new(subject.to_subject(), payload, None);
        self.publish_message(message).await
    }

    async fn publish_message(
        &self,
        message: OutboundMessage,
    ) -> Result<PublishAckFuture, PublishError> {
        let (guard, ack) = self.start_publish(message).await?;
        guard.end(Ending::Complete);
        Ok(ack)
    }
}

/// Publishes without an acknowledgement, as [`Client`](crate::Client) does.
impl client::Publisher for Context {
    async fn publish_with_reply<S: ToSubject, R: ToSubject>(
        &self,
        subject: S,
        reply: R,
        payload: Bytes,
    ) -> Result<(), SendError> {
        let subject = subject.to_subject();
        let size = self.size(payload.len());
        let (guard, headers) = self
            .settings
            .start_send(Operation::Publish, &subject, None, size);
        let reply = reply.to_subject();
        let sent = async {
            match headers {
                Some(headers) => {
                    let client = self.raw_client();
                    client
                        .publish_with_reply_and_headers(subject, reply, headers, payload)
                        .await
                }
                None => {
                    self.raw_client()
                        .publish_with_reply(subject, reply, payload)
                        .await
                }
            }
        };
        guard.run_judged(sent, published).await
    }

    async fn publish_message(
        &self,
        mut message: async_nats::message::OutboundMessage,
    ) -> Result<(), SendError> {
        let size = self.size(message.payload.len());
        let headers = message.headers.take();
        let (guard, headers) =
            self.settings
                .start_send(Operation::Publish, &message.subject, headers, size);
        message.headers = headers;
        let sent = self.raw_client().publish_message(message);
        guard.run_judged(sent, published).await
    }
}

/// Requests as [`Client`](crate::Client) does, with the timeout of the context.
impl client::Requester for Context {
    async fn send_request<S: ToSubject>(
        &self,
        subject: S,
        mut request: Request,
    ) -> Result<Message, RequestError> {
        let subject = subject.to_subject();
        let size = self.size(request.payload.as_ref().map_or(0, Bytes::len));
        let headers = request.headers.take();
        let (guard, headers) =
            self.settings
                .start_send(Operation::Request, &subject, headers, size);
        request.headers = headers;
        let replied = client::Requester::send_request(&**self, subject, request);
        guard.run_judged(replied, requested).await
    }
}

/// Calls the API of JetStream; carries no context and has no span.
impl traits::Requester for Context {
    async fn request<S, T, V>(&self, subject: S, payload: &T) -> Result<V, ApiError>
    where
        S: ToSubject,
        T: ?Sized + Serialize,
        V: DeserializeOwned,
    {
        (**self).request(subject, payload).await
    }
}

/// Calls the API of JetStream, whose answer goes elsewhere; carries no context and has no span.
impl traits::RequestSender for Context {
    async fn send_request<S: ToSubject>(
        &self,
        subject: S,
        request: Request,
    ) -> Result<(), SendError> {
        (**self).send_request(subject, request).await
    }
}

impl traits::ClientProvider for Context {
    fn client(&self) -> async_nats::Client {
        (**self).client()
    }
}

impl traits::TimeoutProvider for Context {
    fn timeout(&self) -> Duration {
        traits::TimeoutProvider::timeout(&**self)
    }
}
