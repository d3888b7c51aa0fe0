//! The spans of changes, and how they relate to what wrote them.

use crate::bench::{Bench, attribute, companion};
use dynamo_trace_core::{ContextBlockBuf, Field};
use dynamo_trace_etcd::attributes::{
    CHANGE_REVISION, CHANGE_TYPE, DB_SYSTEM_NAME, MESSAGING_DESTINATION_NAME,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM,
};
use dynamo_trace_etcd::{Relation, RelationRule, Trust};
use etcd_client::{Txn, TxnOp, WatchOptions};
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Processes the next change, and gives its span.
async fn process(bench: &Bench, changes: &mut dynamo_trace_etcd::Watcher) -> SpanData {
    let change = changes.next().await.unwrap().unwrap();
    let current = async |_| Context::current().span().span_context().clone();
    let span = change.process(current).await;
    let mut spans = bench.spans();
    spans.retain(|ended| ended.span_context.span_id() == span.span_id());
    spans.remove(0)
}

fn assert_linked(span: &SpanData, put: &SpanData) {
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_ne!(span.span_context.trace_id(), put.span_context.trace_id());
    let [link] = &span.links.links[..] else {
        panic!("not one link: {span:#?}");
    };
    assert_eq!(link.span_context.span_id(), put.span_context.span_id());
}

fn assert_child(span: &SpanData, put: &SpanData) {
    assert_eq!(span.parent_span_id, put.span_context.span_id());
    assert_eq!(span.span_context.trace_id(), put.span_context.trace_id());
    assert!(span.links.links.is_empty());
}

fn assert_unlinked(span: &SpanData) {
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert!(span.links.links.is_empty());
}

#[tokio::test]
async fn the_work_on_a_change_is_a_child_of_the_put() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    bench.etcd.put("k", "v", None).await.unwrap();
    let span = process(&bench, &mut changes).await;
    assert_child(&span, &bench.span("Put"));
    assert_eq!(span.name, "process change");
    assert_eq!(span.span_kind, SpanKind::Consumer);
    let attributes = [
        (DB_SYSTEM_NAME, "etcd"),
        (MESSAGING_SYSTEM, "etcd"),
        (MESSAGING_OPERATION_TYPE, "process"),
        (MESSAGING_OPERATION_NAME, "process"),
        (CHANGE_TYPE, "put"),
        (CHANGE_REVISION, "2"),
    ];
    for (name, value) in attributes {
        assert_eq!(attribute(&span, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(span.attributes.len(), attributes.len());
    // Watch, put and the work: reading the companion is no span.
    assert_eq!(bench.spans().len(), 3);
}

#[tokio::test]
async fn what_is_watched_can_be_named() {
    let bench = Bench::start().await;
    let changes = bench.etcd.watch("k", None).await.unwrap();
    let mut changes = changes.with_destination("instances");
    bench.etcd.put("k", "v", None).await.unwrap();
    let span = process(&bench, &mut changes).await;
    assert_eq!(span.name, "process instances");
    let destination = attribute(&span, MESSAGING_DESTINATION_NAME);
    assert_eq!(destination.as_deref(), Some("instances"));
}

#[tokio::test]
async fn what_happened_before_the_watch_is_linked() {
    let bench = Bench::start().await;
    let before = bench.etcd.put("k", "before", None).await.unwrap();
    let before_span = bench.span("Put");
    let revision = before.header().unwrap().revision();
    let options = WatchOptions::new().with_start_revision(revision);
    let mut changes = bench.etcd.watch("k", Some(options)).await.unwrap();
    assert_linked(&process(&bench, &mut changes).await, &before_span);
    bench.forget_spans();
    bench.etcd.put("k", "after", None).await.unwrap();
    let span = process(&bench, &mut changes).await;
    assert_child(&span, &bench.span("Put"));
}

#[tokio::test]
async fn what_was_sent_long_ago_is_linked() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    for age in [Duration::from_secs(3600), Duration::ZERO] {
        let sent_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
        let mut block = ContextBlockBuf::default();
        block.append(Field::TraceParent, PARENT.as_bytes());
        block.append(
            Field::Other("t"),
            sent_at.as_millis().to_string().as_bytes(),
        );
        let txn = Txn::new().and_then([
            TxnOp::put("k", "v", None),
            TxnOp::put(companion("k"), block.as_bytes(), None),
        ]);
        bench.plain.kv_client().txn(txn).await.unwrap();
    }
    let old = process(&bench, &mut changes).await;
    assert_eq!(old.parent_span_id, SpanId::INVALID);
    assert_eq!(old.links.links.len(), 1);
    let fresh = process(&bench, &mut changes).await;
    assert_eq!(fresh.parent_span_id.to_string(), "b7ad6b7169203331");
}

#[tokio::test]
async fn trust_and_relation_are_obeyed() {
    let bench = Bench::with(|builder| builder.with_trust(Trust::linked())).await;
    let watch = || bench.etcd.watch("k", None);
    let mut by_client = watch().await.unwrap();
    let mut trusted = watch().await.unwrap().with_trust(Trust::trusted());
    let mut ignored = watch().await.unwrap().with_trust(Trust::ignored());
    let linked = RelationRule::always(Relation::Link);
    let mut forced = watch().await.unwrap();
    forced = forced.with_trust(Trust::trusted()).with_relation(linked);
    bench.etcd.put("k", "v", None).await.unwrap();
    let put = bench.span("Put");
    assert_linked(&process(&bench, &mut by_client).await, &put);
    assert_child(&process(&bench, &mut trusted).await, &put);
    assert_unlinked(&process(&bench, &mut ignored).await);
    assert_linked(&process(&bench, &mut forced).await, &put);
}
