use dynamo_trace_core::Trust;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};
use std::fmt;
use std::sync::Arc;

/// What is decided by: the head of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target. For gRPC its path is `/{package}.{Service}/{Method}`.
    pub uri: &'r Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// What servers, routers and other layers left on the request.
    pub extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    pub(crate) fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

/// Tells which requests get a span.
#[derive(Clone)]
pub(super) struct Filter(pub(super) Arc<dyn Fn(RequestHead<'_>) -> bool + Send + Sync>);

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}

/// Tells how far the caller of a request is trusted.
#[derive(Clone)]
pub(super) struct TrustBy(pub(super) Arc<dyn Fn(RequestHead<'_>) -> Trust + Send + Sync>);

impl fmt::Debug for TrustBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustBy").finish_non_exhaustive()
    }
}
