use super::Origin;
use crate::Received;
use crate::jetstream::{Message, attributes, error_type};
use async_nats::jetstream::consumer::pull::{self, BatchError};
use dynamo_trace_core::{Ending, SpanGuard};
use futures_core::Stream;
use opentelemetry::trace::TraceContextExt;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

/// The messages of one pull request: a stream of [`Received`].
#[must_use = "streams do nothing unless polled"]
pub struct Batch {
    inner: pull::Batch,
    origin: Arc<Origin>,
    span: FetchSpan,
}

impl Batch {
    pub(super) const fn new(inner: pull::Batch, origin: Arc<Origin>, span: FetchSpan) -> Self {
        Self {
            inner,
            origin,
            span,
        }
    }

    /// Sends the pull request inside its span.
    pub(super) async fn request(
        origin: &Arc<Origin>,
        most: usize,
        request: impl Future<Output = Result<pull::Batch, BatchError>>,
    ) -> Result<Self, BatchError> {
        let span = FetchSpan::start(origin, most);
        match request.await {
            Ok(inner) => Ok(Self::new(inner, origin.clone(), span)),
            Err(error) => {
                span.fail(error_type::not_pulled(&error));
                Err(error)
            }
        }
    }

    /// The next message; nothing when the request is done.
    ///
    /// # Errors
    ///
    /// As the stream of the same name of async-nats; the span of the request ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<Received<Message>, async_nats::Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Batch {
    type Item = Result<Received<Message>, async_nats::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(message) = Pin::new(&mut self.inner).poll_next(cx) else {
            self.span.wait();
            return Poll::Pending;
        };
        Poll::Ready(match message {
            Some(Ok(message)) => {
                let received = self.origin.receive(message);
                self.span.add(&received);
                Some(Ok(received))
            }
            Some(Err(error)) => {
                self.span
                    .end(Ending::Failed(error_type::pull_ended(&error)));
                Some(Err(error))
            }
            None => {
                self.span.end(Ending::Complete);
                None
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("origin", &self.origin)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// The span of a pull request, and what came of it.
#[derive(Debug)]
pub(super) struct FetchSpan {
    guard: Option<SpanGuard>,
    count: u64,
    most: u64,
    /// When the last message was handed on, while nobody waits for another: what comes then is its
    /// receiver's time.
    handed_on: Option<SystemTime>,
}

impl FetchSpan {
    pub(super) fn start(origin: &Origin, most: usize) -> Self {
        let instrumentation = origin.instrumentation();
        let span = |detail| origin.fetch_span(detail);
        let guard = instrumentation.start_with(opentelemetry::Context::current(), span);
        Self {
            guard: Some(guard),
            count: 0,
            most: u64::try_from(most).unwrap_or(u64::MAX),
            handed_on: None,
        }
    }

    pub(super) fn fail(mut self, error_type: &'static str) {
        self.end(Ending::failed(error_type));
    }

    /// One more message. Whoever asked for so many need not ask whether there are others.
    fn add(&mut self, received: &Received<Message>) {
        self.count += 1;
        if let Some(guard) = self.guard.as_ref().filter(|guard| guard.is_recording())
            && let Some(creation) = received.remote().span_context()
        {
            let span = guard.context().span();
            span.add_link(creation.clone(), Vec::new());
        }
        let is_recording = |guard: &SpanGuard| guard.is_recording();
        self.handed_on = (self.guard.as_ref().is_some_and(is_recording)).then(SystemTime::now);
        if self.count >= self.most {
            self.end(Ending::Complete);
        }
    }

    /// Somebody waits for a message.
    const fn wait(&mut self) {
        self.handed_on = None;
    }

    fn end(&mut self, ending: Ending) {
        if let Some(mut guard) = self.guard.take().filter(SpanGuard::is_recording) {
            guard.set_attributes([attributes::message_count(self.count)]);
            guard.end_at(ending, self.handed_on.unwrap_or_else(SystemTime::now));
        }
    }
}

impl Drop for FetchSpan {
    fn drop(&mut self) {
        self.end(Ending::dropped());
    }
}
