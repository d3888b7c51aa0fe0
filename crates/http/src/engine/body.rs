use super::Boundary;
use super::open::Open;
use dynamo_trace_core::span::OnUnwind;
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{Context, ContextGuard};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{self, Poll, ready};

pin_project! {
    /// The body of a response whose span may still be open.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before its end drops the producer, with the span current, and ends the span as
    /// cancelled. After as many bytes as `content-length` says it is complete.
    #[derive(Debug)]
    pub struct ResponseBody<B, L: Boundary> {
        #[pin]
        inner: Option<B>,
        state: State<L>,
    }

    impl<B, L: Boundary> PinnedDrop for ResponseBody<B, L> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let current = this.state.attach();
            this.inner.set(None);
            drop(current);
        }
    }
}

/// What is left to do with a response body.
#[derive(Debug)]
pub(super) enum State<L: Boundary> {
    /// The span has ended, and with it its context.
    Ended,
    /// No span waits for the body, but its producer needs the context.
    Passing(Context),
    /// The span ends with the body.
    Open(Box<Open<L>>),
}

impl<L: Boundary> State<L> {
    /// Makes the context current for the producer of the body.
    fn attach(&self) -> Option<ContextGuard> {
        let context = match self {
            Self::Ended => return None,
            Self::Passing(context) => context,
            Self::Open(open) => open.record.context(),
        };
        Some(context.clone().attach())
    }
}

impl<B: Body, L: Boundary> ResponseBody<B, L> {
    pub(super) const fn new(inner: B, state: State<L>) -> Self {
        Self {
            inner: Some(inner),
            state,
        }
    }

    /// The body inside, where nothing has to be noted of it.
    #[cfg(any(feature = "axum", feature = "reqwest"))]
    pub(crate) fn into_plain(mut self) -> Result<B, Self> {
        match (&self.state, self.inner.take()) {
            (State::Ended, Some(inner)) => Ok(inner),
            (_, inner) => {
                self.inner = inner;
                Err(self)
            }
        }
    }
}

impl<B, L> Body for ResponseBody<B, L>
where
    B: Body<Error: 'static>,
    L: Boundary,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let current = this.state.attach();
        let polled = {
            let _panicked = OnUnwind::new(|| *this.state = State::Ended);
            ready!(inner.as_mut().poll_frame(cx))
        };
        // A body may be dropped unpolled once it says that it is at its end, and servers poll for
        // nothing behind an error or the trailers.
        let last = inner.is_end_stream();
        let is_over = match &polled {
            Some(Ok(frame)) => last || frame.is_trailers(),
            _ => true,
        };
        if let State::Open(open) = this.state {
            open.observe(polled.as_ref(), last);
        }
        if is_over && !matches!(this.state, State::Ended) {
            // The producer goes in the context that it worked in.
            this.inner.set(None);
            drop(current);
            if let State::Open(mut open) = std::mem::replace(this.state, State::Ended) {
                open.complete();
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Default + Body, L: Boundary> Default for ResponseBody<B, L> {
    fn default() -> Self {
        Self::new(B::default(), State::Ended)
    }
}
