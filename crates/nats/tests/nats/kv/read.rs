//! The spans of reads.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, EntryErrorKind, Operation, WatchErrorKind};
use dynamo_trace_nats::{Client, Relation, Trust};
use opentelemetry::trace::{SpanId, SpanKind, Status};

#[tokio::test]
async fn a_read_is_a_span_that_is_linked_to_the_writer() {
    let Bucket { setup, store, .. } = &bucket().await;
    store.put("k", "value".into()).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap(), "value");
    store.entry("k").await.unwrap().unwrap();
    store.entry_for_revision("k", 1).await.unwrap().unwrap();
    assert!(store.get("none").await.unwrap().is_none());
    assert!(
        store
            .entry_for_revision("other", 1)
            .await
            .unwrap()
            .is_none()
    );
    let spans = setup.spans.all();
    assert_eq!(
        tree(&spans),
        "\
PRODUCER put $KV.b.>

CLIENT get $KV.b.>
  ~ link: PRODUCER put $KV.b.>

CLIENT get $KV.b.>
  ~ link: PRODUCER put $KV.b.>

CLIENT get $KV.b.>
  ~ link: PRODUCER put $KV.b.>

CLIENT get $KV.b.>

CLIENT get $KV.b.>
"
    );
    let common = [
        "messaging.destination.template=$KV.b.>",
        "messaging.nats.stream=KV_b",
        "messaging.operation.name=get",
        "messaging.operation.type=receive",
        "messaging.system=nats",
    ];
    let mut found = common.to_vec();
    found.insert(1, "messaging.message.body.size=5");
    found.insert(2, "messaging.nats.message.sequence=1");
    for span in &spans[1..4] {
        assert_eq!(attributes(span), found);
    }
    for span in &spans[4..] {
        assert_eq!(attributes(span), common);
    }
}

#[tokio::test]
async fn work_on_what_was_read_is_linked_to_the_writer() {
    let Bucket { setup, store, .. } = &bucket().await;
    store.put("k", "value".into()).await.unwrap();
    let entry = store.entry("k").await.unwrap().unwrap();
    assert_eq!(entry.relation(), Relation::Link);
    let (put, [span]) = (
        setup.spans.one("put $KV.b.>").span_context,
        [entry.remote().span_context().unwrap().clone()],
    );
    assert_eq!(
        (span.trace_id(), span.span_id()),
        (put.trace_id(), put.span_id())
    );
    entry.process(async |_| {}).await;
    let process = setup.spans.one("process $KV.b.>");
    assert_eq!(process.span_kind, SpanKind::Consumer);
    assert_eq!(process.parent_span_id, SpanId::INVALID);
    assert_eq!(process.links.links[0].span_context.span_id(), put.span_id());
}

#[tokio::test]
async fn a_deleted_key_has_an_entry_and_no_value() {
    let Bucket { store, .. } = &bucket().await;
    store.put("k", "value".into()).await.unwrap();
    store.delete("k").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
    let entry = store.entry("k").await.unwrap().unwrap();
    assert_eq!((entry.operation, entry.revision), (Operation::Delete, 2));
    assert!(entry.remote().span_context().is_some());
}

#[tokio::test]
async fn who_is_not_trusted_is_not_linked() {
    let ignoring = |client: Client| client.with_trust(Trust::ignored());
    let Bucket { setup, store, .. } = &bucket_with(ignoring, Config::default()).await;
    store.put("k", "".into()).await.unwrap();
    let entry = store.entry("k").await.unwrap().unwrap();
    entry.process(async |_| {}).await;
    for name in ["get $KV.b.>", "process $KV.b.>"] {
        assert!(setup.spans.one(name).links.is_empty());
    }
}

#[tokio::test]
async fn keys_and_history_are_spans_until_the_server_begins() {
    let Bucket { setup, store, .. } = &bucket().await;
    for value in ["1", "2", "3"] {
        store.put("k", value.into()).await.unwrap();
    }
    let mut history = store.history("k").await.unwrap();
    let mut keys = store.keys().await.unwrap();
    for name in ["history", "keys"] {
        let span = setup.spans.one(&format!("{name} $KV.b.>"));
        assert_eq!(span.span_kind, SpanKind::Client);
        assert_eq!(
            attributes(&span),
            [
                "messaging.destination.template=$KV.b.>".to_owned(),
                "messaging.nats.stream=KV_b".to_owned(),
                format!("messaging.operation.name={name}"),
                "messaging.operation.type=receive".to_owned(),
                "messaging.system=nats".to_owned(),
            ]
        );
    }
    let mut values = Vec::new();
    while let Some(entry) = within(next(&mut history)).await {
        values.push(entry.unwrap().value);
    }
    assert_eq!(values, ["1", "2", "3"]);
    assert_eq!(within(next(&mut keys)).await.unwrap().unwrap(), "k");
    assert!(within(next(&mut keys)).await.is_none());
}

#[tokio::test]
async fn what_cannot_be_read_fails_the_span() {
    let bucket = bucket().await;
    let Bucket { setup, store, .. } = &bucket;
    let error = store.entry("a b").await.unwrap_err();
    assert_eq!(error.kind(), EntryErrorKind::InvalidKey);
    let error = store.history(".a").await.err().unwrap();
    assert_eq!(error.kind(), WatchErrorKind::InvalidKey);
    let plain = async_nats::jetstream::new(setup.nats.clone().into_inner());
    plain.delete_key_value("b").await.unwrap();
    let theirs = bucket.plain();
    let (ours, theirs) = tokio::join!(store.get("k"), theirs.get("k"));
    let read = ours.unwrap_err().kind();
    assert_eq!(read, theirs.unwrap_err().kind());
    let theirs = bucket.plain();
    let (ours, theirs) = tokio::join!(store.create("k", "".into()), theirs.create("k", "".into()));
    let (ours, theirs) = (ours.unwrap_err(), theirs.unwrap_err());
    assert_eq!(ours.kind(), theirs.kind());
    assert_eq!(ours.to_string(), theirs.to_string());
    let theirs = bucket.plain();
    let (ours, theirs) = tokio::join!(store.watch_all(), theirs.watch_all());
    let watched = ours.unwrap_err().kind();
    assert_eq!(watched, theirs.err().unwrap().kind());
    // Some servers say that there is no such stream, and some do not answer.
    let error_type = |timed_out| if timed_out { "timeout" } else { "_OTHER" };
    let read = error_type(read == EntryErrorKind::TimedOut);
    let watched = error_type(watched == WatchErrorKind::TimedOut);
    let ends = setup.spans.all().into_iter().map(|span| {
        assert_eq!(span.status, Status::error(""));
        let error = attribute(&span, "error.type").unwrap();
        format!("{} {error}", span.name)
    });
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            "get $KV.b.> invalid_key",
            "history $KV.b.> invalid_key",
            &format!("get $KV.b.> {read}"),
            // The error of the read that follows.
            &format!("create $KV.b.> {read}"),
            &format!("watch $KV.b.> {watched}"),
        ]
    );
}
