use super::guard::attach;
use super::{Ending, OnUnwind, SpanGuard};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A future that runs, and is dropped, with a span's context current. See
    /// [`SpanGuard::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InSpan<F: Future> {
        #[pin]
        inner: Option<F>,
        guard: Option<SpanGuard>,
        judge: fn(&F::Output) -> Ending,
    }

    impl<F: Future> PinnedDrop for InSpan<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _current = attach(this.guard);
            this.inner.set(None);
        }
    }
}

impl<F: Future> InSpan<F> {
    pub(super) const fn new(future: F, guard: SpanGuard, judge: fn(&F::Output) -> Ending) -> Self {
        Self {
            inner: Some(future),
            guard: Some(guard),
            judge,
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = {
            let _current = attach(this.guard);
            let _panicked = OnUnwind::new(|| drop(this.guard.take()));
            let output = ready!(inner.poll(cx));
            this.inner.set(None);
            output
        };
        if let Some(guard) = this.guard.take() {
            guard.end((this.judge)(&output));
        }
        Poll::Ready(output)
    }
}
