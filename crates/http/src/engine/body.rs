use super::Semantics;
use super::open::Open;
use super::unwind::OnUnwind;
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
    /// cancelled. After as many bytes as `content-length` says it is complete.
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

impl<B: Body, M: Semantics> ResponseBody<B, M> {
    /// A body that no span waits for.
    pub(super) const fn ended(inner: B) -> Self {
        Self {
            inner: Some(inner),
            open: None,
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
            open: Some(open),
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
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(open) = &this.open else {
            return inner.poll_frame(cx);
        };
        let polled = {
            let _current = open.call.span.context().clone().attach();
            let _panicked = OnUnwind(|| {
                if let Some(open) = this.open.take() {
                    open.end_unwinding();
                }
            });
            ready!(inner.as_mut().poll_frame(cx))
        };
        // A body may be dropped unpolled once it says that it is at its end.
        let ends = |open: &mut Open<M>| open.observe(polled.as_ref()) || inner.is_end_stream();
        if let Some(open) = this.open.take_if(ends) {
            let current = open.call.span.context().clone().attach();
            this.inner.set(None);
            drop(current);
            open.end();
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
