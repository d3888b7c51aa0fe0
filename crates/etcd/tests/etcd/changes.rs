//! Changes, as tests take them.

use crate::bench::Bench;
use dynamo_trace_etcd::{Received, Watcher};
use etcd_client::{Event, KeyValue};
use opentelemetry::trace::TraceId;
use std::time::Duration;

pub(crate) async fn next(changes: &mut Watcher) -> Received<Event> {
    let next = tokio::time::timeout(Duration::from_secs(30), changes.next());
    next.await.unwrap().unwrap().unwrap()
}

/// Does nothing on the next change, and gives it.
pub(crate) async fn process(changes: &mut Watcher) -> Event {
    next(changes).await.process(async |event| event).await
}

pub(crate) fn key(change: &Received<Event>) -> String {
    text(change.kv().unwrap().key())
}

pub(crate) fn value(change: &Received<Event>) -> String {
    text(change.kv().unwrap().value())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn trace_id(change: &Received<Event>) -> Option<TraceId> {
    Some(change.remote().span_context()?.trace_id())
}

/// The trace of who put the pair.
pub(crate) fn writer(kv: &Received<KeyValue>) -> Option<TraceId> {
    Some(kv.remote().span_context()?.trace_id())
}

/// Puts with the traced client, and gives the trace.
pub(crate) async fn put(bench: &Bench, key: &str, value: &str) -> TraceId {
    bench.etcd.put(key, value, None).await.unwrap();
    let spans = bench.spans();
    let put = spans.iter().rev().find(|span| span.name == "Put").unwrap();
    put.span_context.trace_id()
}
