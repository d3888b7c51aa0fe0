use http::{HeaderMap, Method, Request, Uri, Version};
use std::fmt;
use std::sync::Arc;

/// What a [filter](super::TraceLayer::with_filter) decides by.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target. For gRPC its path is `/{package}.{Service}/{Method}`.
    pub uri: &'r Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The headers, without those that are not trusted.
    pub headers: &'r HeaderMap,
}

impl<'r> RequestHead<'r> {
    pub(super) fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
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
