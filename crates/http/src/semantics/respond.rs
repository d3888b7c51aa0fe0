//! What is put on response headers, where it was asked for.

use dynamo_trace_core::w3c::{Flags, TraceParent};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Names the span that answered: `00-{trace-id}-{span-id}-{flags}`, as `traceparent` has it. The
/// caller's own did not.
pub(super) fn name_trace(context: &Context, headers: &mut HeaderMap) {
    let span = context.span();
    let span = span.span_context();
    if span.is_remote() {
        return;
    }
    let flags = Flags::new(span.trace_flags().to_u8());
    let ids = (span.trace_id().to_bytes(), span.span_id().to_bytes());
    let value = TraceParent::new(ids.0, ids.1, flags);
    let value = value.and_then(|value| HeaderValue::from_bytes(&value.format()).ok());
    if let Some(value) = value {
        let _ = headers.try_insert(TRACERESPONSE.clone(), value);
    }
}

/// Gives the caller its request id back, unless the service said another.
pub(super) fn echo(request_id: HeaderValue, headers: &mut HeaderMap) {
    if !headers.contains_key(&REQUEST_ID) {
        let _ = headers.try_insert(REQUEST_ID.clone(), request_id);
    }
}
