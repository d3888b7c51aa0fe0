use axum::extract::MatchedPath;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Tells a [`ServerLayer`](super::ServerLayer) around the whole router which route a request
/// took: it leaves axum's `MatchedPath` on the response.
///
/// ```
/// use axum::{Router, routing::get};
/// use dynamo_trace_http::axum::{RouteLayer, ServerLayer};
/// use tower::Layer;
///
/// let app: Router = Router::new()
///     .route("/models/{model}", get(async || "ready"))
///     .route_layer(RouteLayer::new());
/// let app = ServerLayer::new().layer(app);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RouteLayer;

impl RouteLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for RouteLayer {
    type Service = InRoute<S>;

    fn layer(&self, inner: S) -> InRoute<S> {
        InRoute(inner)
    }
}

/// A service that leaves its route on responses. Made by [`RouteLayer`].
#[derive(Clone, Debug)]
pub struct InRoute<S>(S);

impl<S, B, R> Service<Request<B>> for InRoute<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RouteFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        RouteFuture {
            route: request.extensions().get().cloned(),
            inner: self.0.call(request),
        }
    }
}

pin_project! {
    /// The response of an [`InRoute`] service.
    #[derive(Debug)]
    pub struct RouteFuture<F> {
        #[pin]
        inner: F,
        route: Option<MatchedPath>,
    }
}

impl<F, R, E> Future for RouteFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx));
        if let (Ok(response), Some(route)) = (&mut response, this.route.take()) {
            response.extensions_mut().insert(route);
        }
        Poll::Ready(response)
    }
}
