//! What goes over the wire: what async-nats would send, and the context.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, Store as Plain};
use async_nats::{HeaderMap, Message};
use dynamo_trace_nats::jetstream::kv::Store;
use opentelemetry::Context;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use std::time::Duration;

/// Every way to write, once by ours and once by async-nats' own: on the same key of two buckets
/// they do the same.
macro_rules! writes {
    ($store:expr, $ttl:expr) => {{
        let store = $store;
        let revision = store.put("k", "v".into()).await.unwrap();
        store.update("k", "v2".into(), revision).await.unwrap();
        store.update("k", "v2".into(), 99).await.unwrap_err();
        store.delete("k").await.unwrap();
        store.create("k", "v3".into()).await.unwrap();
        store.create("k", "v3".into()).await.unwrap_err();
        store.delete_expect_revision("k", Some(4)).await.unwrap();
        store.purge("k").await.unwrap();
        store.purge_expect_revision("k", Some(6)).await.unwrap();
        if $ttl {
            let ttl = Duration::from_millis(61_900);
            store.create_with_ttl("t", "".into(), ttl).await.unwrap();
            store.purge_with_ttl("t", ttl).await.unwrap();
            store
                .purge_expect_revision_with_ttl("t", 9, ttl)
                .await
                .unwrap();
            // Over a deleted key: without its ttl, as async-nats does it.
            store.create_with_ttl("t", "".into(), ttl).await.unwrap();
        }
    }};
}

async fn write_ours(store: &Store, ttl: bool) {
    writes!(store, ttl);
}

async fn write_plain(store: &Plain, ttl: bool) {
    writes!(store, ttl);
}

/// What was published to a bucket: the subject after the bucket, the headers, the payload.
async fn published(
    server: &Server,
    bucket: &'static str,
    write: impl AsyncFnOnce(),
) -> Vec<(String, HeaderMap, bytes::Bytes)> {
    let nats = server.connect().await;
    let mut wire = nats.subscribe(format!("$KV.{bucket}.>")).await.unwrap();
    settle(&nats).await;
    write().await;
    nats.publish(format!("$KV.{bucket}.end"), "".into())
        .await
        .unwrap();
    let mut all = Vec::new();
    loop {
        let Message {
            subject,
            headers,
            payload,
            ..
        } = take_plain(&mut wire).await;
        let key = subject.strip_prefix(&format!("$KV.{bucket}."));
        let key = key.unwrap().to_owned();
        if key == "end" {
            return all;
        }
        all.push((key, headers.unwrap_or_default(), payload));
    }
}

#[tokio::test]
async fn every_write_is_that_of_async_nats_and_a_context() {
    let setup = setup().await;
    let ttl = is_version(&setup.nats, 11, "a message that expires");
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let bucket = async |bucket: &str| {
        let config = named(Config {
            limit_markers: ttl.then_some(Duration::from_secs(60)),
            ..Config::default()
        });
        let bucket = bucket.to_owned();
        create(&context, Config { bucket, ..config }).await
    };
    let (ours, theirs) = (bucket("ours").await, bucket("theirs").await);
    let theirs = theirs.into_inner();
    let ours = published(&setup.server, "ours", async || write_ours(&ours, ttl).await).await;
    let theirs = published(&setup.server, "theirs", async || {
        write_plain(&theirs, ttl).await
    })
    .await;
    // One each, and those of `create` that were refused at first.
    assert_eq!(ours.len(), if ttl { 14 + 1 } else { 10 });
    assert_eq!(ours.len(), theirs.len());
    for ((key, mut headers, payload), expected) in ours.into_iter().zip(theirs) {
        let carried = headers.get_last("traceparent").map(ToString::to_string);
        let carried = carried.unwrap_or_else(|| panic!("{key} {headers:?}"));
        let spans = setup.spans.all();
        let span_id = &carried[36..52];
        assert!(
            spans
                .iter()
                .any(|span| span.span_context.span_id().to_string() == span_id)
        );
        headers = headers
            .iter()
            .filter(|(name, _)| AsRef::<str>::as_ref(*name) != "traceparent")
            .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
            .collect();
        assert_eq!((key, headers, payload), expected);
    }
}

#[tokio::test]
async fn what_nobody_traces_is_sent_as_without_this_crate() {
    let Bucket { setup, store, .. } = &bucket().await;
    let nats = setup.nats.clone();
    let nats = nats.with_tracer_provider(&NoopTracerProvider::new());
    let context = dynamo_trace_nats::jetstream::new(&nats);
    let silent = dynamo_trace_nats::jetstream::kv::Store::new(&context, store.clone().into_inner());
    let sent = published(&setup.server, "b", async || {
        silent.put("k", "v".into()).await.unwrap();
        silent.delete("k").await.unwrap();
    })
    .await;
    let mut deletion = HeaderMap::new();
    deletion.append("KV-Operation", "DEL");
    assert_eq!(
        sent,
        [
            ("k".to_owned(), HeaderMap::new(), "v".into()),
            ("k".to_owned(), deletion, "".into()),
        ]
    );
    assert!(setup.spans.all().is_empty());
}

#[tokio::test]
async fn a_span_of_somebody_else_is_told_nothing() {
    let Bucket { setup, store } = &bucket().await;
    store.put("k", "v".into()).await.unwrap();
    let nats = setup.nats.clone();
    let nats = nats.with_tracer_provider(&NoopTracerProvider::new());
    let context = dynamo_trace_nats::jetstream::new(&nats);
    let silent = dynamo_trace_nats::jetstream::kv::Store::new(&context, store.clone().into_inner());
    let objects = async_nats::jetstream::object_store::Config {
        bucket: "o".to_owned(),
        ..Default::default()
    };
    let objects = context.create_object_store(objects).await.unwrap();
    let span = setup.provider.tracer("user").start("user");
    let user = Context::new().with_span(span);
    let calls = async {
        silent.put("k", "v".into()).await.unwrap();
        silent.delete("k").await.unwrap();
        silent.create("k", "v".into()).await.unwrap();
        silent.entry("k").await.unwrap().unwrap();
        silent.entry_for_revision("k", 1).await.unwrap().unwrap();
        objects.put("a", &mut &b"content"[..]).await.unwrap();
        drop(objects.get("a").await.unwrap());
        // Its context is carried all the same.
        store.entry("k").await.unwrap().unwrap()
    };
    let entry = calls.with_context(user.clone()).await;
    let own = user.span().span_context().clone();
    let writer = entry.remote().span_context().unwrap();
    assert_eq!(writer.span_id(), own.span_id());
    user.span().end();
    let user = setup.spans.one("user");
    assert_eq!(attributes(&user), [""; 0]);
    assert!(user.links.is_empty());
    assert_eq!(user.status, opentelemetry::trace::Status::Unset);
}
