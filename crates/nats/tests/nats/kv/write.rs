//! The spans of writes.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, CreateErrorKind, PutErrorKind, UpdateErrorKind};
use dynamo_trace_nats::Client;
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use std::time::Duration;

#[tokio::test]
async fn the_trace_goes_from_writer_to_watcher() {
    let bucket = bucket().await;
    let mut watch = bucket.store.watch("models.*").await.unwrap();
    let revision = bucket.store.put("models.a", "ready".into()).await.unwrap();
    let change = change(&mut watch).await;
    let entry = change.process(async |entry| entry).await;
    assert_eq!((entry.revision, &*entry.key), (revision, "models.a"));
    assert_eq!(entry.value, "ready");

    let spans = bucket.setup.spans.all();
    assert_eq!(
        tree(&spans),
        "\
CLIENT watch $KV.b.>

PRODUCER put $KV.b.>
  CONSUMER process $KV.b.>
"
    );
    let [watch, put, process] = spans.try_into().unwrap();
    assert_eq!(
        attributes(&watch),
        [
            "messaging.destination.template=$KV.b.>",
            "messaging.nats.stream=KV_b",
            "messaging.operation.name=watch",
            "messaging.operation.type=receive",
            "messaging.system=nats",
        ]
    );
    assert_eq!(
        attributes(&put),
        [
            "messaging.destination.template=$KV.b.>",
            "messaging.message.body.size=5",
            "messaging.nats.message.sequence=1",
            "messaging.nats.stream=KV_b",
            "messaging.operation.name=put",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(put.status, Status::Unset);
    assert_eq!(put.instrumentation_scope.name(), "dynamo-trace-nats");
    assert!(process.parent_span_is_remote);
    assert!(process.links.is_empty());
    assert_eq!(
        timeless(&process),
        [
            "dynamo_trace.nats.change.type=put",
            "messaging.destination.template=$KV.b.>",
            "messaging.message.body.size=5",
            "messaging.nats.message.sequence=1",
            "messaging.nats.stream=KV_b",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn every_write_is_one_span_whose_context_is_stored() {
    let Bucket { setup, store, .. } = &bucket().await;
    let mut watch = store.watch_all().await.unwrap();
    // A purge takes what was not delivered before: each is seen before the next one.
    let mut check = async |revision, operation: &'static str, kind: &'static str| {
        let change = change(&mut watch).await;
        assert_eq!(change.revision, revision);
        let process = change.process(async |_| current_span()).await;
        let spans = setup.spans.all();
        let by_id = |id| spans.iter().find(|span| span.span_context.span_id() == id);
        let process = by_id(process.span_id()).unwrap();
        let writer = by_id(process.parent_span_id).unwrap();
        assert_eq!(writer.name, format!("{operation} $KV.b.>"), "{revision}");
        assert_eq!(writer.span_kind, SpanKind::Producer);
        let name = attribute(writer, "messaging.operation.name");
        assert_eq!(name, Some(operation.into()));
        let change = attribute(process, "dynamo_trace.nats.change.type");
        assert_eq!(change, Some(kind.into()));
    };
    let value = || "v".into();
    store.put("k", value()).await.unwrap();
    check(1, "put", "put").await;
    store.update("k", value(), 1).await.unwrap();
    check(2, "update", "put").await;
    store.delete("k").await.unwrap();
    check(3, "delete", "delete").await;
    store.create("k", value()).await.unwrap();
    check(4, "create", "put").await;
    store.delete_expect_revision("k", Some(4)).await.unwrap();
    check(5, "delete", "delete").await;
    store.purge("k").await.unwrap();
    check(6, "purge", "purge").await;
    store.purge_expect_revision("k", Some(6)).await.unwrap();
    check(7, "purge", "purge").await;
    // With the watch, and one to process each.
    assert_eq!(setup.spans.all().len(), 1 + 2 * 7);
}

#[tokio::test]
async fn a_write_is_a_child_of_the_current_span() {
    let Bucket { setup, store, .. } = &bucket().await;
    let put = store.put("k", "".into());
    put.with_context(remote_context()).await.unwrap();
    let put = setup.spans.one("put $KV.b.>");
    assert_eq!(put.span_context.trace_id(), remote_span().trace_id());
    assert_eq!(put.parent_span_id, remote_span().span_id());
}

#[tokio::test]
async fn a_registered_template_names_a_key() {
    let with_templates =
        |client: Client| client.with_subject_templates(["$KV.b.models.*", "$KV.c.>"]);
    let Bucket { setup, store, .. } = &bucket_with(with_templates, Config::default()).await;
    let mut watch = store.watch_all().await.unwrap();
    for key in ["models.secret", "secret"] {
        store.put(key, "".into()).await.unwrap();
        store.entry(key).await.unwrap().unwrap();
        change(&mut watch).await.process(async |_| {}).await;
    }
    for key in ["models.*", "models.secret"] {
        drop(store.watch(key).await.unwrap());
    }
    assert_eq!(
        setup.spans.names(),
        [
            "watch $KV.b.>",
            "put $KV.b.models.*",
            "get $KV.b.models.*",
            "process $KV.b.models.*",
            "put $KV.b.>",
            "get $KV.b.>",
            "process $KV.b.>",
            "watch $KV.b.models.*",
            "watch $KV.b.models.*",
        ]
    );
    let put = setup.spans.one("put $KV.b.models.*");
    let template = attribute(&put, "messaging.destination.template");
    assert_eq!(template, Some("$KV.b.models.*".into()));
    let all = format!("{:?}", setup.spans.all());
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test]
async fn a_template_for_some_keys_does_not_name_all() {
    let with_templates = |client: Client| client.with_subject_templates(["$KV.b.*"]);
    let Bucket { setup, store } = &bucket_with(with_templates, Config::default()).await;
    for key in ["*", "k", ">", "models.>"] {
        drop(store.watch(key).await.unwrap());
    }
    drop(store.watch_all().await.unwrap());
    assert_eq!(
        setup.spans.names(),
        [
            "watch $KV.b.*",
            "watch $KV.b.*",
            "watch $KV.b.>",
            "watch $KV.b.>",
            "watch $KV.b.>",
        ]
    );
}

#[tokio::test]
async fn what_is_refused_fails_the_span() {
    let Bucket { setup, store, .. } = &bucket().await;
    let error = store.put("a b", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), PutErrorKind::InvalidKey);
    store.put("k", "".into()).await.unwrap();
    let error = store.update("k", "".into(), 7).await.unwrap_err();
    assert_eq!(error.kind(), UpdateErrorKind::WrongLastRevision);
    let error = store.create("k", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), CreateErrorKind::AlreadyExists);
    let large = vec![0; setup.nats.max_payload() + 1];
    let error = store.put("k", large.into()).await.unwrap_err();
    assert_eq!(error.kind(), PutErrorKind::Publish);
    let deleted = setup.nats.clone().into_inner();
    let deleted = async_nats::jetstream::new(deleted);
    deleted.delete_key_value("b").await.unwrap();
    store.put("k", "".into()).await.unwrap_err();
    store.delete("k").await.unwrap_err();
    let spans = setup.spans.all();
    let ends: Vec<_> = spans
        .iter()
        .filter_map(|span| Some((&*span.name, attribute(span, "error.type")?.to_string())))
        .collect();
    let end = |name, error: &str| (name, error.to_owned());
    assert_eq!(
        ends,
        [
            end("put $KV.b.>", "invalid_key"),
            end("update $KV.b.>", "wrong_last_sequence"),
            end("create $KV.b.>", "already_exists"),
            end("put $KV.b.>", "max_payload_exceeded"),
            end("put $KV.b.>", "stream_not_found"),
            end("delete $KV.b.>", "stream_not_found"),
        ]
    );
    for span in &spans {
        let failed = attribute(span, "dynamo_trace.ending") == Some("failed".into());
        assert_eq!(failed, span.status == Status::error(""));
    }
}

#[tokio::test]
async fn a_write_that_is_given_up_ends_as_cancelled() {
    let Bucket { setup, store, .. } = &bucket().await;
    let mut put = Box::pin(store.put("k", "".into()));
    // It waits for the server, which cannot have answered yet.
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(put.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    assert_eq!(setup.spans.all().len(), 0);
    drop(put);
    let span = setup.spans.one("put $KV.b.>");
    let ending = attribute(&span, "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn what_expires_carries_context() {
    let setup = setup().await;
    if !is_version(&setup.nats, 11, "a message that expires") {
        return;
    }
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let limit_markers = Some(Duration::from_secs(60));
    // Of more than one revision of a key, none expires before its marker would.
    let config = Config {
        bucket: "b".to_owned(),
        limit_markers,
        ..Config::default()
    };
    let store = context.create_key_value(config).await.unwrap();
    let mut watch = store.watch_all().await.unwrap();
    let ttl = Duration::from_secs(1);
    store.create_with_ttl("k", "v".into(), ttl).await.unwrap();
    let created = change(&mut watch).await;
    assert!(created.remote().span_context().is_some());
    // The server's own marker.
    let expired = change(&mut watch).await;
    assert_eq!(
        expired.operation,
        async_nats::jetstream::kv::Operation::Purge
    );
    assert!(expired.remote().is_empty());
    expired.process(async |_| {}).await;
    let process = setup.spans.one("process $KV.b.>");
    assert_eq!(
        process.parent_span_id,
        opentelemetry::trace::SpanId::INVALID
    );

    let minute = Duration::from_secs(60);
    let revision = store.create("k", "v".into()).await.unwrap();
    store.purge_with_ttl("k", minute).await.unwrap();
    store
        .purge_expect_revision_with_ttl("k", revision + 1, minute)
        .await
        .unwrap();
    store
        .purge_expect_revision_with_ttl("k", revision, minute)
        .await
        .unwrap_err();
    for _ in 0..3 {
        assert!(change(&mut watch).await.remote().span_context().is_some());
    }
}

#[tokio::test]
async fn a_bucket_is_opened_and_changed_as_by_async_nats() {
    let setup = setup().await;
    if !is_version(&setup.nats, 11, "what async-nats asks of the account") {
        return;
    }
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let config = |history| Config {
        history,
        ..named(Config::default())
    };
    let created = context.create_or_update_key_value(config(2)).await.unwrap();
    let changed = context.update_key_value(config(3)).await.unwrap();
    let found = context.get_key_value("b").await.unwrap();
    let same = context.create_key_value(config(3)).await.unwrap();
    let mut watch = found.watch_all().await.unwrap();
    for (store, history) in [(created, 2), (changed, 3), (found, 3), (same, 3)] {
        assert_eq!(store.status().await.unwrap().history(), history);
        store.put("k", "".into()).await.unwrap();
        assert!(change(&mut watch).await.remote().span_context().is_some());
    }
    context.get_key_value("none").await.unwrap_err();
    context.get_key_value("a.b").await.unwrap_err();
    context.update_key_value(config(65)).await.unwrap_err();
    // No span of theirs.
    assert_eq!(setup.spans.all().len(), 1 + 4);
}

#[tokio::test]
async fn a_write_goes_where_the_store_says() {
    let Bucket { setup, store } = &bucket().await;
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let origin = Config {
        bucket: "origin".to_owned(),
        ..Config::default()
    };
    let origin = create(&context, origin).await;
    let mut watch = origin.watch_all().await.unwrap();
    // As async-nats makes the store of a mirror.
    let mut mirror = store.clone().into_inner();
    mirror.put_prefix = Some("$KV.origin.".to_owned());
    let mirror = dynamo_trace_nats::jetstream::kv::Store::new(&context, mirror);
    mirror.put("k", "v".into()).await.unwrap();
    let entry = change(&mut watch).await;
    assert_eq!((&*entry.bucket, &*entry.key), ("origin", "k"));
    assert!(entry.remote().span_context().is_some());
    assert!(store.entry("k").await.unwrap().is_none());
    let error = mirror.create("k", "v".into()).await.unwrap_err();
    assert_eq!(error.kind(), CreateErrorKind::AlreadyExists);
    let create = setup.spans.one("create $KV.b.>");
    let error = attribute(&create, "error.type");
    assert_eq!(error, Some("already_exists".into()));
}
