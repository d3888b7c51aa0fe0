use super::metrics::Measure;
use dynamo_trace_core::{Ending, SpanGuard};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// A call under way, as [`Semantics`](super::Semantics) see it: its span, what is measured of it,
/// and what they remember of it themselves.
#[derive(Debug)]
pub struct Record<T> {
    /// What the semantics remember.
    pub call: T,
    kind: SpanKind,
    start: SystemTime,
    span: SpanGuard,
    measure: Measure,
}

impl<T> Record<T> {
    pub(super) const fn new(
        call: T,
        kind: SpanKind,
        start: SystemTime,
        span: SpanGuard,
        measure: Measure,
    ) -> Self {
        Self {
            call,
            kind,
            start,
            span,
            measure,
        }
    }

    /// The kind of the span.
    #[must_use]
    pub const fn kind(&self) -> &SpanKind {
        &self.kind
    }

    /// The context in which the call runs.
    #[must_use]
    pub const fn context(&self) -> &Context {
        self.span.context()
    }

    /// Whether the span records. Where it does not, attributes need not be made.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    pub(super) const fn start(&self) -> SystemTime {
        self.start
    }

    /// The time since the start of the call.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().unwrap_or_default()
    }

    /// Sets attributes of the span.
    pub fn set(&self, attributes: impl IntoIterator<Item = KeyValue>) {
        self.span.set_attributes(attributes);
    }

    /// Sets an attribute of the span and of what is measured: one of few values.
    pub fn set_measured(&mut self, attribute: KeyValue) {
        self.measure(&attribute);
        self.span.set_attributes([attribute]);
    }

    /// Sets an attribute of what is measured, which the span has already: one of few values.
    pub fn measure(&mut self, attribute: &KeyValue) {
        self.measure.add(attribute);
    }

    /// Renames the span.
    pub fn rename(&self, name: impl Into<Cow<'static, str>>) {
        if self.is_recording() {
            self.context().span().update_name(name);
        }
    }

    pub(super) fn end(&mut self, ending: Ending) {
        let is_measured = self.measure.is_running();
        if !(is_measured || self.is_recording()) {
            return;
        }
        let now = SystemTime::now();
        if is_measured {
            let duration = now.duration_since(self.start).unwrap_or_default();
            self.measure.end(&ending, duration);
        }
        self.span.end_at(ending, now);
    }
}
