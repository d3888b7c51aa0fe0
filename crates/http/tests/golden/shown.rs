use crate::lines::attributes;
use opentelemetry::KeyValue;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

/// All that a span says: kind, name, status, and every attribute by its key.
pub(crate) fn shown(span: &SpanData) -> String {
    let status = match &span.status {
        Status::Unset => "",
        Status::Ok => " ok",
        Status::Error { description } if description.is_empty() => " error",
        Status::Error { .. } => " error with a description",
    };
    let (kind, name) = (&span.span_kind, &span.name);
    assert_eq!(span.events.iter().count(), 0);
    assert_eq!(span.dropped_attributes_count, 0);
    format!("{kind:?} {name}{status}\n{}", attributes(&span.attributes))
}

/// The attributes whose keys begin so, one a line.
pub(crate) fn of(span: &SpanData, prefix: &str) -> String {
    let is_wanted = |kv: &&KeyValue| kv.key.as_str().starts_with(prefix);
    let wanted: Vec<_> = span.attributes.iter().filter(is_wanted).cloned().collect();
    attributes(&wanted)
}
