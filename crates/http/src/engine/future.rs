use super::body::State;
use super::call::Call;
use super::{Boundary, ResponseBody, Semantics, WrapBody};
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
    pub struct ResponseFuture<F, L: Boundary> {
        #[pin]
        inner: Option<F>,
        call: Option<Call<L>>,
    }

    impl<F, L: Boundary> PinnedDrop for ResponseFuture<F, L> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(call) = this.call.take() {
                let current = call.context().clone().attach();
                this.inner.set(None);
                drop(current);
            }
        }
    }
}

impl<F, L: Boundary> ResponseFuture<F, L> {
    pub(super) const fn new(inner: F, call: Call<L>) -> Self {
        Self {
            inner: Some(inner),
            call: Some(call),
        }
    }
}

impl<F, L, B, E> Future for ResponseFuture<F, L>
where
    F: Future<Output = Result<Response<B>, E>>,
    L: Boundary<Semantics: Semantics<Bodies: WrapBody<B, L>>>,
    B: Body,
    E: 'static,
{
    type Output = Result<Response<Wrapped<B, L>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = {
            let call = this.call.as_ref();
            let _current = call.map(|call| call.context().clone().attach());
            let _panicked = OnUnwind::new(|| drop(this.call.take()));
            let output = ready!(inner.poll(cx));
            this.inner.set(None);
            output
        };
        let call = this.call.take();
        Poll::Ready(match output {
            Ok(mut response) => {
                let state = call.map_or(State::Ended, |call| call.respond(&mut response));
                Ok(response.map(|body| wrap(ResponseBody::new(body, state))))
            }
            Err(error) => {
                if let Some(call) = call {
                    call.fail(&error);
                }
                Err(error)
            }
        })
    }
}

/// What becomes of the response body.
pub(super) type Wrapped<B, L> =
    <<<L as Boundary>::Semantics as Semantics>::Bodies as WrapBody<B, L>>::Body;

fn wrap<B, L>(body: ResponseBody<B, L>) -> Wrapped<B, L>
where
    L: Boundary<Semantics: Semantics<Bodies: WrapBody<B, L>>>,
{
    <<L::Semantics as Semantics>::Bodies as WrapBody<B, L>>::wrap(body)
}
