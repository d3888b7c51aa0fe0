//! The ids of the span that is current.

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt, TraceFlags, TraceId};
use tracing::Metadata;

pub(super) struct Ids {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) trace_flags: TraceFlags,
}

impl Ids {
    /// None if no span is current.
    pub(super) fn current(metadata: &Metadata<'_>) -> Option<Self> {
        // OpenTelemetry's API logs while it holds the current context; reading it then panics.
        if metadata.target() == "opentelemetry" {
            return None;
        }
        Context::map_current(|context| {
            let span = context.span();
            let context = span.span_context();
            context.is_valid().then(|| Self {
                trace_id: context.trace_id(),
                span_id: context.span_id(),
                trace_flags: context.trace_flags(),
            })
        })
    }
}
