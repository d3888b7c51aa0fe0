use super::Semantics;
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
    pub struct ResponseBody<B, M: Semantics> {
        #[pin]
        inner: Option<B>,
        state: State<M>,
    }

    impl<B, M: Semantics> PinnedDrop for ResponseBody<B, M> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let current = this.state.attach();
            this.inner.set(None);
            drop(current);
            if let Some(open) = this.state.take_open() {
                open.end_dropped();
            }
        }
    }
}

#[derive(Debug)]
enum State<M> {
    /// The span has ended, and with it its context.
    Ended,
    /// No span waits for the body, but its producer needs the context.
    Passing(Context),
    /// The span ends with the body.
    Open(Open<M>),
}

impl<M: Semantics> State<M> {
    /// Makes the context current for the producer of the body.
    fn attach(&self) -> Option<ContextGuard> {
        let context = match self {
            Self::Ended => return None,
            Self::Passing(context) => context,
            Self::Open(open) => open.record.span.context(),
        };
        Some(context.clone().attach())
    }

    fn take_open(&mut self) -> Option<Open<M>> {
        if !matches!(self, Self::Open(_)) {
            return None;
        }
        match std::mem::replace(self, Self::Ended) {
            Self::Open(open) => Some(open),
            _ => None,
        }
    }
}

impl<B: Body, M: Semantics> ResponseBody<B, M> {
    /// A body that no span waits for.
    pub(super) const fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            state: State::Ended,
        }
    }

    /// A body that no span waits for, to be made in this context.
    pub(super) const fn passing(inner: B, context: Context) -> Self {
        Self {
            inner: Some(inner),
            state: State::Passing(context),
        }
    }

    /// A body that the span ends with. An empty one is never polled.
    pub(super) fn streaming(inner: B, open: Open<M>) -> Self {
        if inner.is_end_stream() {
            open.end();
            return Self::ended(inner);
        }
        Self {
            inner: Some(inner),
            state: State::Open(open),
        }
    }
}

impl<B, M> Body for ResponseBody<B, M>
where
    B: Body<Error: 'static>,
    M: Semantics,
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
            let _panicked = OnUnwind::new(|| {
                if let Some(open) = this.state.take_open() {
                    open.end_unwinding();
                }
            });
            ready!(inner.as_mut().poll_frame(cx))
        };
        // A body may be dropped unpolled once it says that it is at its end.
        let last = inner.is_end_stream();
        let ended = match this.state {
            State::Ended => false,
            State::Passing(_) => last || polled.is_none(),
            State::Open(open) => open.observe(polled.as_ref(), last),
        };
        if ended {
            // The producer goes in the context that it worked in.
            this.inner.set(None);
            drop(current);
            if let State::Open(open) = std::mem::replace(this.state, State::Ended) {
                open.end();
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

impl<B: Default + Body, M: Semantics> Default for ResponseBody<B, M> {
    fn default() -> Self {
        Self::ended(B::default())
    }
}
