use super::sends::Sends;
use super::{body, head};
use crate::engine::{Boundary, Configured, Defaults, call};
use crate::{ClientLayer, Http};
use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

/// Spans of a reqwest client: kind CLIENT, from the call to the response head, one for every send.
///
/// Made of a [`ClientLayer`] where it is to have its options:
///
/// ```
/// use dynamo_trace_http::ClientLayer;
/// use dynamo_trace_http::reqwest::ClientMiddleware;
///
/// let middleware = ClientMiddleware::from(
///     ClientLayer::new().with_filter(|request| request.uri.path() != "/health"),
/// );
/// ```
///
/// # Cancel safety
///
/// Dropping the call, or a response body that the span waits for, drops what is inside, with the
/// span current, and ends the span as cancelled.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientMiddleware<C = Defaults>(ClientLayer<C>);

impl ClientMiddleware {
    /// A middleware with the global tracer provider and propagation.
    pub const fn new() -> Self {
        Self(ClientLayer::new())
    }
}

impl Default for ClientMiddleware {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> From<ClientLayer<C>> for ClientMiddleware<C> {
    fn from(layer: ClientLayer<C>) -> Self {
        Self(layer)
    }
}

#[async_trait]
impl<C: Configured<Http>> Middleware for ClientMiddleware<C> {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let options = &self.0.settings().semantics.options;
        let mut sends = Sends::take(extensions);
        let before = sends.count();
        let extensions = sends.extensions();
        let mut head = head::take(&mut request, extensions, before);
        let lent = options.body_sizes && head::lend_length(&mut head, request.body());
        let called = call(&self.0, head, false, move |head| {
            head::give_back(head, lent, &mut request, extensions);
            let response = next.run(request, extensions);
            async { Ok(body::take_head(response.await?, options.client_body)) }
        });
        called.await.map(body::give_back)
    }
}
