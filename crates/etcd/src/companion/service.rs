use super::exchange::exchange;
use super::write::Rpc;
use super::{Companions, stream};
use crate::semantics::{Endless, operation};
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tower_service::Service;

/// Writes and reads contexts in the store: turns `Put`, `DeleteRange` and `Txn` into transactions
/// that write the companions too, and their responses back into those of the calls that were
/// made; puts values into envelopes and takes them out.
///
/// It stands under the layer that makes the spans, so that one span covers all of it and is the
/// one whose context goes into the store.
#[derive(Clone, Debug)]
pub(crate) struct WithCompanions<S> {
    inner: S,
    companions: Arc<Companions>,
}

impl<S> WithCompanions<S> {
    pub(crate) const fn new(inner: S, companions: Arc<Companions>) -> Self {
        Self { inner, companions }
    }
}

impl<S> Service<Request<Body>> for WithCompanions<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match Rpc::of(request.uri()) {
            Some(rpc) if self.companions.concern(rpc) => {
                let clone = self.inner.clone();
                // The clone is not ready; this one is.
                let ready = std::mem::replace(&mut self.inner, clone);
                let companions = Arc::clone(&self.companions);
                ResponseFuture::Read {
                    future: Box::pin(exchange(ready, companions, rpc, request)),
                }
            }
            _ => {
                let endless = Endless::is(operation(request.uri()));
                let (request, opening) = stream::open(&self.companions, request);
                ResponseFuture::Passed {
                    future: self.inner.call(request),
                    opening,
                    endless,
                }
            }
        }
    }
}

pin_project! {
    /// The response of [`WithCompanions`].
    #[project = Projected]
    pub(crate) enum ResponseFuture<F, E> {
        Passed { #[pin] future: F, opening: Option<stream::Opening>, endless: bool },
        Read { future: Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>> },
    }
}

impl<F, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projected::Read { future } => future.as_mut().poll(cx),
            Projected::Passed {
                future,
                opening,
                endless,
            } => future.poll(cx).map_ok(|mut response| {
                if *endless {
                    response.extensions_mut().insert(Endless);
                }
                match opening.take() {
                    Some(opening) => opening.response(response),
                    None => response,
                }
            }),
        }
    }
}
