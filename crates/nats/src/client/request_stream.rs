use super::Client;
use crate::attributes::{self, Operation};
use crate::replies::{Call, Replies};
use async_nats::client::{
    PublishError, PublishErrorKind, Request, RequestError, RequestErrorKind, SubscribeError,
};
use async_nats::message::OutboundMessage;
use async_nats::{Subject, ToSubject};
use bytes::Bytes;

impl Client {
    /// Sends a request that is answered by a stream of replies, such as tokens.
    ///
    /// Subscribes to the request's inbox, or to a fresh one, and publishes the request with it as
    /// the reply subject. [`Replies`] says how the stream ends, and what its span shows: one
    /// CLIENT span `request {subject}` for all of it, a child of the span that is current when
    /// the future is first polled. Its context is sent as that of [any request](#requests).
    ///
    /// The request's timeout (the client's, if it has none) is how long each reply may take, not
    /// all of them together.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::send_request`] where the request cannot be sent; the span ends as
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future unsubscribes, and ends the span as cancelled; the request may have been
    /// sent.
    ///
    /// ```no_run
    /// use dynamo_trace_nats::Client;
    ///
    /// # async fn example(nats: Client) -> Result<(), async_nats::Error> {
    /// let request = async_nats::Request::new().payload("a prompt".into());
    /// let replies = nats.request_stream("generate", request).await?;
    /// // This service sends an empty message at the end.
    /// let mut tokens = replies.until(|reply| reply.payload.is_empty());
    /// while let Some(token) = tokens.next().await {
    ///     println!("{:?}", token?.payload);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request_stream<S: ToSubject>(
        &self,
        subject: S,
        mut request: Request,
    ) -> Result<Replies, RequestError> {
        let subject = subject.to_subject();
        let size = self.size(request.payload.as_ref().map_or(0, Bytes::len));
        let headers = request.headers.take();
        let (guard, headers) =
            (self.settings).start_send(Operation::Request, &subject, headers, size);
        let call = Call::new(guard);
        request.headers = headers;
        let idle = request.timeout.unwrap_or_else(|| self.inner.timeout());
        match self.ask(subject, request).await {
            Ok(inner) => Ok(Replies::new(inner, call, idle)),
            Err(error) => {
                call.end(attributes::not_replied(&error));
                Err(error)
            }
        }
    }

    /// Subscribes to the inbox, and publishes the request.
    async fn ask(
        &self,
        subject: Subject,
        request: Request,
    ) -> Result<async_nats::Subscriber, RequestError> {
        let inbox = request.inbox.unwrap_or_else(|| self.inner.new_inbox());
        let inbox = Subject::from(inbox);
        let subscribed = self.inner.subscribe(inbox.clone()).await;
        let message = OutboundMessage {
            subject,
            reply: Some(inbox),
            payload: request.payload.unwrap_or_default(),
            headers: request.headers,
        };
        let replies = subscribed.map_err(not_subscribed)?;
        self.hand_over(message).await.map_err(not_sent)?;
        Ok(replies)
    }
}

fn not_subscribed(error: SubscribeError) -> RequestError {
    RequestError::with_source(RequestErrorKind::Other, error)
}

fn not_sent(error: PublishError) -> RequestError {
    let kind = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => RequestErrorKind::MaxPayloadExceeded,
        PublishErrorKind::InvalidSubject => RequestErrorKind::InvalidSubject,
        PublishErrorKind::Send => RequestErrorKind::Other,
    };
    RequestError::with_source(kind, error)
}
