use http::Request;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Counts how often a request is sent: around a layer that retries, with a
/// [`ClientLayer`](crate::ClientLayer) inside of that.
///
/// The spans of the second send and of those after it have `http.request.resend_count`. What
/// retries has to keep the extensions of the request, as `Clone` does.
///
/// ```
/// use dynamo_trace_http::{ClientLayer, ResendLayer};
/// # use tower::retry::{Policy, RetryLayer};
/// # fn stack<P: Policy<http::Request<()>, (), ()>>(policy: P) {
/// let stack = tower::ServiceBuilder::new()
///     .layer(ResendLayer::new())
///     .layer(RetryLayer::new(policy))
///     .layer(ClientLayer::new());
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ResendLayer;

impl ResendLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for ResendLayer {
    type Service = Resend<S>;

    fn layer(&self, inner: S) -> Resend<S> {
        Resend(inner)
    }
}

/// A service whose sends are counted. Made by [`ResendLayer`].
#[derive(Clone, Debug)]
pub struct Resend<S>(S);

impl<S, B> Service<Request<B>> for Resend<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(Sends::default());
        self.0.call(request)
    }
}

/// How often a request was sent, over all of its copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sends(Arc<AtomicU32>);

impl Sends {
    /// To be counted on from here.
    #[cfg(feature = "reqwest")]
    pub(crate) fn after(before: u32) -> Self {
        Self(Arc::new(before.into()))
    }

    /// Counts a send, and gives how many were before it, if any.
    pub(crate) fn count(&self) -> Option<i64> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (before > 0).then(|| i64::from(before))
    }
}
