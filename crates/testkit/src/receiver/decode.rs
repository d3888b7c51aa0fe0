//! From OTLP's protobuf messages to [`Span`].

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource,
    trace::v1 as otlp,
};

use crate::{
    span::{Event, Link, Resource, Scope, Span, SpanKind, Status, StatusCode},
    value::{Attributes, Value},
};

/// What an export request held.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) spans: Vec<Span>,
    /// Spans whose ids (or link's ids) are not of 16 and 8 bytes, or are all zeros.
    pub(super) rejected: i64,
}

pub(super) fn decode(request: ExportTraceServiceRequest) -> Decoded {
    let mut decoded = Decoded::default();
    for from_resource in request.resource_spans {
        let resource = Arc::new(resource(from_resource.resource, from_resource.schema_url));
        for from_scope in from_resource.scope_spans {
            let scope = Arc::new(scope(from_scope.scope, from_scope.schema_url));
            for from in from_scope.spans {
                match span(from, &resource, &scope) {
                    Some(span) => decoded.spans.push(span),
                    None => decoded.rejected += 1,
                }
            }
        }
    }
    decoded
}

fn resource(from: Option<resource::v1::Resource>, schema_url: String) -> Resource {
    let from = from.unwrap_or_default();
    Resource {
        attributes: attributes(from.attributes),
        dropped_attributes: from.dropped_attributes_count,
        schema_url,
    }
}

fn scope(from: Option<InstrumentationScope>, schema_url: String) -> Scope {
    let from = from.unwrap_or_default();
    Scope {
        name: from.name,
        version: from.version,
        attributes: attributes(from.attributes),
        dropped_attributes: from.dropped_attributes_count,
        schema_url,
    }
}

fn span(from: otlp::Span, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Option<Span> {
    Some(Span {
        trace_id: id(&from.trace_id)?,
        span_id: id(&from.span_id)?,
        parent_span_id: parent(&from.parent_span_id)?,
        kind: kind(from.kind()),
        trace_state: from.trace_state,
        flags: from.flags,
        name: from.name,
        start_unix_nanos: from.start_time_unix_nano,
        end_unix_nanos: from.end_time_unix_nano,
        attributes: attributes(from.attributes),
        dropped_attributes: from.dropped_attributes_count,
        events: from.events.into_iter().map(event).collect(),
        dropped_events: from.dropped_events_count,
        links: from.links.into_iter().map(link).collect::<Option<_>>()?,
        dropped_links: from.dropped_links_count,
        status: status(from.status.unwrap_or_default()),
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
    })
}

/// An id of the right length that is not all zeros (OTLP: anything else is invalid).
fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id = bytes.try_into().ok()?;
    (id != [0; N]).then_some(id)
}

/// No parent is written as an empty field; some senders write zeros.
fn parent(bytes: &[u8]) -> Option<Option<[u8; 8]>> {
    if bytes.is_empty() || bytes == [0; 8] {
        return Some(None);
    }
    id(bytes).map(Some)
}

fn kind(from: otlp::span::SpanKind) -> SpanKind {
    match from {
        otlp::span::SpanKind::Unspecified => SpanKind::Unspecified,
        otlp::span::SpanKind::Internal => SpanKind::Internal,
        otlp::span::SpanKind::Server => SpanKind::Server,
        otlp::span::SpanKind::Client => SpanKind::Client,
        otlp::span::SpanKind::Producer => SpanKind::Producer,
        otlp::span::SpanKind::Consumer => SpanKind::Consumer,
    }
}

fn event(from: otlp::span::Event) -> Event {
    Event {
        time_unix_nanos: from.time_unix_nano,
        name: from.name,
        attributes: attributes(from.attributes),
        dropped_attributes: from.dropped_attributes_count,
    }
}

fn link(from: otlp::span::Link) -> Option<Link> {
    Some(Link {
        trace_id: id(&from.trace_id)?,
        span_id: id(&from.span_id)?,
        trace_state: from.trace_state,
        flags: from.flags,
        attributes: attributes(from.attributes),
        dropped_attributes: from.dropped_attributes_count,
    })
}

fn status(from: otlp::Status) -> Status {
    Status {
        code: match from.code() {
            otlp::status::StatusCode::Unset => StatusCode::Unset,
            otlp::status::StatusCode::Ok => StatusCode::Ok,
            otlp::status::StatusCode::Error => StatusCode::Error,
        },
        message: from.message,
    }
}

fn attributes(from: Vec<KeyValue>) -> Attributes {
    from.into_iter()
        .map(|entry| (entry.key, value(entry.value)))
        .collect()
}

/// Recursive; the protobuf decoder has already refused what nests deeper than 100 levels.
fn value(from: Option<AnyValue>) -> Value {
    match from.and_then(|any| any.value) {
        // an index into a string table of the profiling signal: empty in a span
        None | Some(any_value::Value::StringValueStrindex(_)) => Value::Empty,
        Some(any_value::Value::StringValue(text)) => Value::String(text),
        Some(any_value::Value::BoolValue(truth)) => Value::Bool(truth),
        Some(any_value::Value::IntValue(number)) => Value::Int(number),
        Some(any_value::Value::DoubleValue(number)) => Value::Double(number),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(any_value::Value::ArrayValue(array)) => Value::Array(
            array
                .values
                .into_iter()
                .map(|any| value(Some(any)))
                .collect(),
        ),
        Some(any_value::Value::KvlistValue(list)) => Value::Map(attributes(list.values)),
    }
}
