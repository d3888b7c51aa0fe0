use super::keep_alive::{self, KeepAlives};
use super::{Templates, request};
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

/// Around the spans: says which template a call's key matches, counts keep-alives that failed.
#[derive(Clone, Debug)]
pub(super) struct Observed<S> {
    inner: S,
    templates: Option<Templates>,
    keep_alives: Arc<KeepAlives>,
}

impl<S> Observed<S> {
    pub(super) const fn new(
        inner: S,
        templates: Option<Templates>,
        keep_alives: Arc<KeepAlives>,
    ) -> Self {
        Self {
            inner,
            templates,
            keep_alives,
        }
    }
}

impl<S, B> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let keep_alives = keep_alive::is_opened_by(request.uri());
        let request = match &self.templates {
            Some(templates) => request::name(templates, request),
            None => request,
        };
        ResponseFuture {
            inner: self.inner.call(request),
            keep_alives: keep_alives.then(|| Arc::clone(&self.keep_alives)),
        }
    }
}

pin_project! {
    /// The response of [`Observed`].
    pub(super) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        keep_alives: Option<Arc<KeepAlives>>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        Poll::Ready(match this.keep_alives.take() {
            None => response.map(|response| response.map(Body::new)),
            Some(keep_alives) => keep_alives.observe(response),
        })
    }
}
