//! async-nats' own traits, so that generic code that is given this client is traced as well.

use super::{Client, publish};
use async_nats::client::traits::{Publisher, Requester, Subscriber, TimeoutProvider};
use async_nats::client::{PublishError, Request, RequestError, SubscribeError};
use async_nats::message::OutboundMessage;
use async_nats::{Message, ToSubject};
use bytes::Bytes;
use futures_sink::Sink;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

impl Publisher for Client {
    async fn publish_with_reply<S: ToSubject, R: ToSubject>(
        &self,
        subject: S,
        reply: R,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        Client::publish_with_reply(self, subject, reply, payload).await
    }

    async fn publish_message(&self, message: OutboundMessage) -> Result<(), PublishError> {
        Client::publish_message(self, message).await
    }
}

impl Requester for Client {
    async fn send_request<S: ToSubject>(
        &self,
        subject: S,
        request: Request,
    ) -> Result<Message, RequestError> {
        Client::send_request(self, subject, request).await
    }
}

/// Gives async-nats' own subscriber, as the trait demands: make its messages
/// [`Received`](crate::Received) with [`Client::receive`].
impl Subscriber for Client {
    async fn subscribe<S: ToSubject>(
        &self,
        subject: S,
    ) -> Result<async_nats::Subscriber, SubscribeError> {
        self.inner.subscribe(subject).await
    }
}

impl TimeoutProvider for Client {
    fn timeout(&self) -> Option<Duration> {
        self.inner.timeout()
    }
}

/// Each message has a span as in [Publishing](Client#publishing). It starts and ends in
/// `start_send`: a wait for room in the connection's buffer is before it, in `poll_ready`.
///
/// As async-nats has it, subjects are not checked here.
impl Sink<OutboundMessage> for Client {
    type Error = PublishError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        Pin::new(&mut self.inner).poll_ready(cx)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        mut message: OutboundMessage,
    ) -> Result<(), PublishError> {
        let guard = self.begin_message(&mut message);
        publish::end(guard, Pin::new(&mut self.inner).start_send(message))
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
