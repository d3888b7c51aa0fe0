use crate::attributes::{Operation, body_size};
use crate::settings::Settings;
use bytes::Bytes;
use dynamo_trace_core::Instrumentation;
use dynamo_trace_core::received::{Consumer, RelationRule};
use opentelemetry::trace::{SpanBuilder, SpanKind};

impl Consumer<Bytes> for Settings {
    fn span(&self, payload: &Bytes) -> SpanBuilder {
        let mut builder = self.connection.span(Operation::Process, SpanKind::Consumer);
        let attributes = builder.attributes.get_or_insert_default();
        attributes.push(body_size(payload.len()));
        builder
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.relation
    }
}
