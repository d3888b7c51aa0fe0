use super::guard::attach;
use super::{Ending, OnUnwind, SpanGuard};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A stream that runs, and is dropped, with a span's context current. See
    /// [`SpanGuard::run_stream`].
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct StreamInSpan<S> {
        #[pin]
        inner: Option<S>,
        guard: Option<SpanGuard>,
    }

    impl<S> PinnedDrop for StreamInSpan<S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _current = attach(this.guard);
            this.inner.set(None);
        }
    }
}

impl<S> StreamInSpan<S> {
    pub(super) const fn new(stream: S, guard: SpanGuard) -> Self {
        Self {
            inner: Some(stream),
            guard: Some(guard),
        }
    }
}

impl<S: Stream> Stream for StreamInSpan<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = {
            let _current = attach(this.guard);
            let _panicked = OnUnwind::new(|| drop(this.guard.take()));
            let item = ready!(inner.poll_next(cx));
            if item.is_none() {
                this.inner.set(None);
            }
            item
        };
        if item.is_none()
            && let Some(guard) = this.guard.take()
        {
            guard.end(Ending::Complete);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}
