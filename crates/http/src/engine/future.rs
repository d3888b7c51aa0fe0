use super::call::Call;
use super::{ResponseBody, Semantics};
use dynamo_trace_core::span::OnUnwind;
use http::Response;
use http_body::Body;
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
    pub struct ResponseFuture<F, M: Semantics> {
        #[pin]
        inner: Option<F>,
        call: Option<Call<M>>,
    }

    impl<F, M: Semantics> PinnedDrop for ResponseFuture<F, M> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(call) = this.call.take() {
                let current = call.context().clone().attach();
                this.inner.set(None);
                drop(current);
                call.give_up();
            }
        }
    }
}

impl<F, M: Semantics> ResponseFuture<F, M> {
    pub(super) const fn new(inner: F, call: Option<Call<M>>) -> Self {
        Self {
            inner: Some(inner),
            call,
        }
    }
}

impl<F, M, B, E> Future for ResponseFuture<F, M>
where
    F: Future<Output = Result<Response<B>, E>>,
    M: Semantics,
    B: Body,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<B, M>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = {
            let call = this.call.as_ref();
            let _current = call.map(|call| call.context().clone().attach());
            let _panicked = OnUnwind::new(|| {
                if let Some(call) = this.call.take() {
                    call.panicked();
                }
            });
            let output = ready!(inner.poll(cx));
            this.inner.set(None);
            output
        };
        Poll::Ready(match (output, this.call.take()) {
            (Ok(response), Some(call)) => Ok(call.respond(response)),
            (Ok(response), None) => Ok(response.map(ResponseBody::ended)),
            (Err(error), call) => {
                if let Some(call) = call {
                    call.fail(&error);
                }
                Err(error)
            }
        })
    }
}
