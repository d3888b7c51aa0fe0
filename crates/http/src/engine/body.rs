use super::future::Call;
use super::{Semantics, failed};
use bytes::Buf;
use dynamo_trace_core::Ending;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The body of a response whose span may still be open.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before its end drops the producer, with the span current, and ends the span as
    /// cancelled.
    #[derive(Debug)]
    pub struct ResponseBody<B, M: Semantics> {
        #[pin]
        inner: Option<B>,
        open: Option<Open<M>>,
    }

    impl<B, M: Semantics> PinnedDrop for ResponseBody<B, M> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(open) = this.open.take() {
                let current = open.call.span.context().clone().attach();
                this.inner.set(None);
                drop(current);
                open.end_dropped();
            }
        }
    }
}

#[derive(Debug)]
struct Open<M> {
    call: Call<M>,
    /// The ending if the body comes to its end and no trailers say otherwise.
    ending: Ending,
    /// `content-length`: a server stops polling once that much was sent.
    length: Option<u64>,
}

impl<B: Body, M: Semantics> ResponseBody<B, M> {
    /// A body that no span waits for.
    pub(super) const fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            open: None,
        }
    }

    pub(super) fn streaming(inner: B, call: Call<M>, ending: Ending, length: Option<u64>) -> Self {
        let open = Open {
            call,
            ending,
            length: length.or_else(|| inner.size_hint().exact()),
        };
        // An empty body is never polled.
        if inner.is_end_stream() {
            open.end();
            return Self::ended(inner);
        }
        Self {
            inner: Some(inner),
            open: Some(open),
        }
    }
}

impl<M: Semantics> Open<M> {
    fn end(self) {
        self.end_as(None);
    }

    fn end_as(self, ending: Option<Ending>) {
        let Call {
            span,
            semantics,
            kind,
            summary,
        } = self.call;
        if span.is_recording() {
            semantics.on_body_end(&kind, &summary, &span);
        }
        span.end(ending.unwrap_or(self.ending));
    }

    /// The consumer went away; after the last byte that is no cancellation.
    fn end_dropped(self) {
        let Call { span, summary, .. } = &self.call;
        if self.length == Some(summary.bytes) {
            self.end();
        } else {
            if span.is_recording() {
                self.call
                    .semantics
                    .on_body_end(&self.call.kind, summary, span);
            }
            // The guard's drop tells a cancellation from a shutdown or a panic.
            drop(self);
        }
    }

    /// Counts a frame; the ending, if trailers decided it.
    fn observe<D: Buf>(&mut self, frame: &Frame<D>) -> Option<Ending> {
        if !self.call.span.is_recording() {
            return None;
        }
        if let Some(data) = frame.data_ref() {
            self.call.summary.count(data.remaining());
        }
        let trailers = frame.trailers_ref()?;
        self.call
            .semantics
            .on_trailers(&self.call.kind, trailers, &self.call.span)
    }
}

impl<B, M> Body for ResponseBody<B, M>
where
    B: Body,
    M: Semantics,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(open) = this.open.as_mut() else {
            return inner.poll_frame(cx);
        };
        let polled = {
            let _current = open.call.span.context().clone().attach();
            ready!(inner.as_mut().poll_frame(cx))
        };
        // What ends the span now, if anything does.
        let ending = match &polled {
            None => Some(None),
            Some(Err(_)) => Some(Some(failed::<B::Error>())),
            Some(Ok(frame)) => match open.observe(frame) {
                Some(ending) => Some(Some(ending)),
                // A body may be dropped unpolled once it says that it is at its end.
                None => inner.is_end_stream().then_some(None),
            },
        };
        if let Some(ending) = ending
            && let Some(open) = this.open.take()
        {
            open.end_as(ending);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Default + Body, M: Semantics> Default for ResponseBody<B, M> {
    fn default() -> Self {
        Self::ended(B::default())
    }
}
