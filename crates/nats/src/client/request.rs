use super::Client;
use crate::attributes::{self, Operation};
use async_nats::client::{PublishError, PublishErrorKind, Request, RequestError};
use async_nats::message::OutboundMessage;
use async_nats::{HeaderMap, Message, ToSubject};
use bytes::Bytes;
use opentelemetry::Context;

/// # Requests
///
/// Each starts a CLIENT span `request {subject}`, a child of the span that is current when the
/// future is first polled, and sends its context in the headers. The span ends when the reply is
/// in. It fails where there is no reply (`error.type` is `timeout`, `no_responders`,
/// `invalid_subject`, `max_payload_exceeded` or `_OTHER`), and where the reply has the header
/// `Nats-Service-Error-Code` (the code), although the caller is given that reply.
///
/// A `traceparent` that the caller put into the headers is sent as it is, and the span links to
/// it. What context a reply carries is not used: its trace is the caller's.
impl Client {
    /// Sends a request and waits for one reply. See [Requests](#requests).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::request`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the reply up, and ends the span as cancelled; the request may
    /// have been sent.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::client::RequestError> {
    /// let reply = nats.request("work", "input".into()).await?;
    /// println!("{} bytes", reply.payload.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request<S: ToSubject>(
        &self,
        subject: S,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        self.send_request(subject, Request::new().payload(payload))
            .await
    }

    /// Sends a request with headers and waits for one reply. See [Requests](#requests).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::request_with_headers`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn request_with_headers<S: ToSubject>(
        &self,
        subject: S,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        self.send_request(subject, Request::new().headers(headers).payload(payload))
            .await
    }

    /// Sends a request with a timeout or an inbox of its own. See [Requests](#requests).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::send_request`]; the span ends as failed.
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn send_request<S: ToSubject>(
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
        let replied = self.inner.send_request(subject, request);
        guard.run_judged(replied, attributes::requested).await
    }

    /// Answers a request, with the current context in the reply's headers. No span starts: the
    /// span that processes the request covers the reply.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::publish`]; [`PublishErrorKind::InvalidSubject`] if the message
    /// asks for no reply.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes sends nothing.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
    /// let mut work = nats.queue_subscribe("work", "workers".to_owned()).await?;
    /// while let Some(received) = work.next().await {
    ///     received
    ///         .try_process(|request| {
    ///             let nats = nats.clone();
    ///             async move { nats.reply(&request, request.payload.clone()).await }
    ///         })
    ///         .await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reply(&self, request: &Message, payload: Bytes) -> Result<(), PublishError> {
        self.answer(request, None, payload).await
    }

    /// Answers a request with headers, as [`reply`](Self::reply) does. A `traceparent` that the
    /// caller put into them is sent as it is.
    ///
    /// # Errors
    ///
    /// As [`reply`](Self::reply).
    ///
    /// # Cancel safety
    ///
    /// As [`reply`](Self::reply).
    pub async fn reply_with_headers(
        &self,
        request: &Message,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.answer(request, Some(headers), payload).await
    }

    async fn answer(
        &self,
        request: &Message,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let Some(reply) = request.reply.clone() else {
            return Err(PublishError::with_source(
                PublishErrorKind::InvalidSubject,
                "the message asks for no reply",
            ));
        };
        // Not inside `map_current`: a propagator of the user's may attach a context.
        let cx = Context::current();
        let headers = self.settings.inject(&cx, headers, self.size(payload.len()));
        let reply = OutboundMessage {
            subject: reply,
            reply: None,
            payload,
            headers,
        };
        self.hand_over(reply).await
    }
}
