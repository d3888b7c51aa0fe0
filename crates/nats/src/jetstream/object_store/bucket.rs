use super::attributes::Operation;
use crate::attributes::{DESTINATION_TEMPLATE, common_of, span};
use crate::jetstream::attributes::STREAM;
use crate::settings::Settings;
use dynamo_trace_core::SpanGuard;
use dynamo_trace_core::span::{SharedText, span_name};
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{Context, KeyValue};
use std::sync::Arc;

/// How the spans of an object store look.
#[derive(Debug)]
pub(super) struct Bucket {
    settings: Arc<Settings>,
    pub(super) name: String,
    /// The subject of all of its messages.
    template: String,
    stream: String,
}

impl Bucket {
    pub(super) fn new(settings: Arc<Settings>, name: String) -> Self {
        Self {
            settings,
            template: format!("$O.{name}.>"),
            stream: format!("OBJ_{name}"),
            name,
        }
    }

    pub(super) fn start(&self, operation: Operation) -> SpanGuard {
        self.settings
            .instrumentation
            .start_with(Context::current(), |_| self.span(operation))
    }

    fn span(&self, operation: Operation) -> SpanBuilder {
        let mut attributes = Vec::with_capacity(7);
        attributes.extend(common_of(operation.name(), operation.kind()));
        attributes.extend([
            KeyValue::new(DESTINATION_TEMPLATE, SharedText::value_of(&self.template)),
            KeyValue::new(STREAM, SharedText::value_of(&self.stream)),
        ]);
        let (name, _) = span_name(operation.name(), &self.template);
        span(name, SpanKind::Client, attributes)
    }
}
