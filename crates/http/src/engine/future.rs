use super::{Head, ResponseBody, Semantics, StreamSummary, failed};
use dynamo_trace_core::{Ending, SpanGuard};
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use opentelemetry::trace::SpanKind;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The response of a [`Trace`](super::Trace) service.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call, with the span current, and ends the span as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, M> {
        #[pin]
        inner: Option<F>,
        call: Option<Call<M>>,
    }

    impl<F, M> PinnedDrop for ResponseFuture<F, M> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _current = this.call.as_ref().map(|call| call.span.context().clone().attach());
            this.inner.set(None);
        }
    }
}

/// A call that has a span: what the future hands on to the body.
#[derive(Debug)]
pub(super) struct Call<M> {
    pub(super) span: SpanGuard,
    pub(super) semantics: M,
    pub(super) kind: SpanKind,
    pub(super) summary: StreamSummary,
}

impl<F, M> ResponseFuture<F, M> {
    pub(super) fn new(inner: F, span: SpanGuard, semantics: M, kind: SpanKind) -> Self {
        let summary = StreamSummary::starting_now();
        Self {
            inner: Some(inner),
            call: Some(Call {
                span,
                semantics,
                kind,
                summary,
            }),
        }
    }
}

impl<F, M, B, E> Future for ResponseFuture<F, M>
where
    F: Future<Output = Result<Response<B>, E>>,
    M: Semantics,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B, M>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = {
            let _current = this
                .call
                .as_ref()
                .map(|call| call.span.context().clone().attach());
            let output = ready!(inner.poll(cx));
            this.inner.set(None);
            output
        };
        let call = this.call.take();
        match output {
            Ok(response) => Poll::Ready(Ok(match call {
                Some(call) => call.respond(response),
                None => response.map(ResponseBody::ended),
            })),
            Err(error) => {
                if let Some(call) = call {
                    call.span.end(failed::<E>());
                }
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<M: Semantics> Call<M> {
    fn respond<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B, M>> {
        let head = if self.span.is_recording() {
            self.semantics.on_head(&self.kind, &response, &self.span)
        } else {
            Head::Streams(Ending::Complete)
        };
        match head {
            Head::Ends(ending) => {
                self.span.end(ending);
                response.map(ResponseBody::ended)
            }
            Head::Streams(ending) => {
                let text = |name| response.headers().get(name)?.to_str().ok();
                let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
                self.summary.event_stream =
                    text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"));
                response.map(|body| ResponseBody::streaming(body, self, ending, length))
            }
        }
    }
}
