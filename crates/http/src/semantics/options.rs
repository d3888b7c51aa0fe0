use super::capture::Captured;
use crate::engine::RequestHead;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

type RouteOf = dyn for<'r> Fn(RequestHead<'r>) -> Option<&'r str> + Send + Sync;
type NameOf = dyn Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync;

/// What a layer was told to do beyond the conventions' defaults.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) route: Option<Arc<RouteOf>>,
    pub(crate) name: Option<Arc<NameOf>>,
    pub(crate) known_methods: Option<Arc<[&'static str]>>,
    pub(crate) request_headers: Vec<Captured>,
    pub(crate) response_headers: Vec<Captured>,
    /// How many of the proxies in front are one's own.
    pub(crate) trusted_proxies: usize,
    pub(crate) request_id: bool,
    pub(crate) traceresponse: bool,
    pub(crate) body_sizes: bool,
    /// A client's span lasts as long as the response body.
    pub(crate) client_body: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}
