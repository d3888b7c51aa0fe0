use dynamo_trace_core::SpanGuard;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};

/// The span of a guard, for what is known of it later; nothing where it does not record: then
/// the current span is somebody else's.
#[derive(Debug)]
pub(crate) struct Recording(Option<Context>);

impl Recording {
    pub(crate) fn of(guard: &SpanGuard) -> Self {
        Self(guard.is_recording().then(|| guard.context().clone()))
    }

    pub(crate) fn set<const N: usize>(&self, attributes: impl FnOnce() -> [KeyValue; N]) {
        if let Some(cx) = &self.0 {
            cx.span().set_attributes(attributes());
        }
    }

    pub(crate) fn link(&self, to: Option<&SpanContext>) {
        if let (Some(cx), Some(to)) = (&self.0, to) {
            cx.span().add_link(to.clone(), Vec::new());
        }
    }
}
