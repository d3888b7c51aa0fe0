use crate::framework::{Framework, Route};
use http::Extensions;
use opentelemetry::trace::SpanKind;

/// What is known of a call's route.
#[derive(Debug, Default)]
pub(super) enum RouteOf {
    /// Nothing: there was no span to start.
    #[default]
    Unasked,
    /// It is known, or there can be none.
    Known,
    /// What is inside may find it. The method as it stands in the name.
    Missing(&'static str),
}

impl RouteOf {
    pub(super) fn missing(kind: &SpanKind, operation: &'static str) -> Self {
        match kind {
            SpanKind::Server => Self::Missing(operation),
            _ => Self::Known,
        }
    }
}

/// The route that was left on a request or a response.
pub(super) fn route_in<F: Framework>(extensions: &Extensions) -> Option<&str> {
    F::route(extensions).or_else(|| extensions.get().map(Route::as_str))
}
