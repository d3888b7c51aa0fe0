//! What the suite waits for and asserts of spans.

use super::wait::wait_for;
use crate::span_log::SpanLog;
use dynamo_trace_core::span::attributes::{ENDING, ERROR_TYPE};
use opentelemetry::trace::{SpanId, Status, TraceId};
use opentelemetry::{Key, Value};
use opentelemetry_sdk::trace::SpanData;
use std::collections::HashSet;

/// Waits until `count` spans of a trace have ended.
pub(super) async fn ended(log: &SpanLog, trace_id: TraceId, count: usize) -> Vec<SpanData> {
    let what = format!("{count} spans to end in trace {trace_id}");
    wait_for(log.subscribe(), &what, |log| {
        let spans = of_trace(&log.ended, trace_id);
        (spans.len() >= count).then_some(spans)
    })
    .await
}

/// Waits until every span that started has ended, each once.
pub(super) async fn all_ended(log: &SpanLog) -> Vec<SpanData> {
    let spans = wait_for(log.subscribe(), "every started span to end", |log| {
        (log.started == log.ended.len()).then(|| log.ended.clone())
    })
    .await;
    let ids: HashSet<SpanId> = spans.iter().map(|s| s.span_context.span_id()).collect();
    assert_eq!(ids.len(), spans.len(), "a span ended twice: {spans:#?}");
    spans
}

pub(super) fn of_trace(spans: &[SpanData], trace_id: TraceId) -> Vec<SpanData> {
    let of_trace = |span: &&SpanData| span.span_context.trace_id() == trace_id;
    spans.iter().filter(of_trace).cloned().collect()
}

pub(super) fn by_id(spans: &[SpanData], span_id: SpanId) -> Option<&SpanData> {
    spans
        .iter()
        .find(|span| span.span_context.span_id() == span_id)
}

fn attribute(span: &SpanData, key: &'static str) -> Option<String> {
    let key = Key::from_static_str(key);
    let found = span.attributes.iter().find(|kv| kv.key == key)?;
    Some(Value::as_str(&found.value).into_owned())
}

pub(super) fn assert_complete(span: &SpanData) {
    assert_eq!(attribute(span, ENDING), None, "not complete: {span:#?}");
    assert_eq!(attribute(span, ERROR_TYPE), None, "an error: {span:#?}");
    assert!(!is_error(span), "an error: {span:#?}");
}

pub(super) fn assert_failed(span: &SpanData) {
    assert_eq!(
        attribute(span, ENDING).as_deref(),
        Some("failed"),
        "{span:#?}"
    );
    let error_type = attribute(span, ERROR_TYPE);
    assert!(
        error_type.is_some_and(|t| !t.is_empty()),
        "no error.type: {span:#?}"
    );
    assert!(is_error(span), "status is no error: {span:#?}");
}

pub(super) fn is_cancelled(span: &SpanData) -> bool {
    attribute(span, ENDING).as_deref() == Some("cancelled")
}

pub(super) fn assert_cancelled(span: &SpanData) {
    assert!(is_cancelled(span), "not cancelled: {span:#?}");
    assert!(!is_error(span), "a cancellation is no error: {span:#?}");
}

const fn is_error(span: &SpanData) -> bool {
    matches!(span.status, Status::Error { .. })
}
