//! The spans of object stores.

use crate::kv::next;
use crate::support::*;
use async_nats::jetstream::object_store::{Config, GetErrorKind, ObjectMetadata, UpdateMetadata};
use async_nats::jetstream::stream::StorageType;
use bytes::Bytes;
use dynamo_trace_nats::jetstream;
use dynamo_trace_nats::jetstream::object_store::{Object, ObjectStore};
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use tokio::io::AsyncReadExt;

struct Objects {
    setup: Setup,
    store: ObjectStore,
}

async fn objects() -> Objects {
    let setup = setup().await;
    let context = jetstream::new(&setup.nats);
    let config = Config {
        bucket: "o".to_owned(),
        storage: StorageType::Memory,
        ..Config::default()
    };
    drop(context.create_object_store(config).await.unwrap());
    let store = context.get_object_store("o").await.unwrap();
    Objects { setup, store }
}

impl Objects {
    /// Stores an object of so many bytes, in chunks of 1000.
    async fn put(&self, name: &str, size: usize) -> Bytes {
        let content: Vec<_> = (0..size).map(|at| (at % 251) as u8).collect();
        let meta = ObjectMetadata {
            name: name.to_owned(),
            chunk_size: Some(1000),
            ..ObjectMetadata::default()
        };
        let info = self.store.put(meta, &mut &*content).await.unwrap();
        assert_eq!(info.size, size);
        content.into()
    }

    async fn get(&self, name: &str) -> Object {
        self.store.get(name).await.unwrap()
    }

    /// The attributes of the only `get`.
    fn of_get(&self) -> Vec<String> {
        attributes(&self.setup.spans.one("get $O.o.>"))
    }
}

#[tokio::test]
async fn a_put_and_a_get_say_how_large_the_object_is() {
    let objects = objects().await;
    let content = objects.put("secret", 2500).await;
    let mut object = objects.get("secret").await;
    assert_eq!(object.info().size, 2500);
    assert_eq!(objects.setup.spans.names(), ["put $O.o.>"]);
    let mut read = Vec::new();
    within(object.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, content);

    let spans = objects.setup.spans.all();
    let [put, get] = &*spans else {
        panic!("{spans:#?}")
    };
    assert_eq!(
        attributes(put),
        [
            "messaging.destination.template=$O.o.>",
            "messaging.message.body.size=2500",
            "messaging.nats.stream=OBJ_o",
            "messaging.operation.name=put",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(
        attributes(get),
        [
            "dynamo_trace.stream.bytes=2500",
            "messaging.destination.template=$O.o.>",
            "messaging.message.body.size=2500",
            "messaging.nats.stream=OBJ_o",
            "messaging.operation.name=get",
            "messaging.operation.type=receive",
            "messaging.system=nats",
        ]
    );
    for span in &spans {
        assert_eq!(span.span_kind, SpanKind::Client);
        assert_eq!(span.status, Status::Unset);
        assert_eq!(span.instrumentation_scope.name(), "dynamo-trace-nats");
    }
    let all = format!("{spans:?}");
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test]
async fn a_get_ends_with_the_last_byte() {
    let objects = objects().await;
    let content = objects.put("a", 2500).await;
    let mut object = objects.get("a").await;
    let mut read = [0; 2499];
    within(object.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, content[..2499]);
    assert_eq!(objects.setup.spans.names(), ["put $O.o.>"]);
    // It is not read on, to see that nothing follows.
    within(object.read_exact(&mut read[..1])).await.unwrap();
    assert_eq!(objects.of_get()[0], "dynamo_trace.stream.bytes=2500");
    within(object.read_to_end(&mut Vec::new())).await.unwrap();
    drop(object);
    assert_eq!(objects.setup.spans.all().len(), 2);
}

#[tokio::test]
async fn an_empty_object_is_read_at_once() {
    let objects = objects().await;
    objects.put("a", 0).await;
    let mut object = objects.get("a").await;
    let get = objects.of_get();
    assert_eq!(get[0], "dynamo_trace.stream.bytes=0");
    assert_eq!(get[2], "messaging.message.body.size=0");
    assert_eq!(within(object.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_get_that_is_given_up_ends_as_cancelled() {
    let objects = objects().await;
    objects.put("a", 2500).await;
    let mut object = objects.get("a").await;
    within(object.read_exact(&mut [0; 700])).await.unwrap();
    // An empty buffer reads nothing, which is no end.
    within(object.read(&mut [])).await.unwrap();
    assert_eq!(objects.setup.spans.all().len(), 1);
    drop(object);
    let get = objects.of_get();
    assert_eq!(get[0], "dynamo_trace.ending=cancelled");
    assert_eq!(get[1], "dynamo_trace.stream.bytes=700");
    let get = objects.setup.spans.one("get $O.o.>");
    assert_eq!(get.status, Status::Unset);
}

#[tokio::test]
async fn what_is_beyond_an_object_is_no_part_of_its_get() {
    let objects = objects().await;
    objects.put("a", 2500).await;
    let nats = objects.setup.nats.clone().into_inner();
    let plain = async_nats::jetstream::new(nats.clone());
    let info = objects.store.info("a").await.unwrap();
    // One more chunk.
    let subject = format!("$O.o.C.{}", info.nuid);
    let ack = plain.publish(subject, "more".into()).await.unwrap();
    ack.await.unwrap();
    let mut object = objects.get("a").await;
    // All of it is read, and the span over, before async-nats finds the digest wrong.
    let mut read = Vec::new();
    let error = within(object.read_to_end(&mut read)).await;
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(read.len(), 2500);
    assert_eq!(objects.of_get()[0], "dynamo_trace.stream.bytes=2500");
}

#[tokio::test]
async fn a_chunk_that_was_changed_fails_the_get() {
    let objects = objects().await;
    objects.put("a", 1000).await;
    let plain = async_nats::jetstream::new(objects.setup.nats.clone().into_inner());
    let info = objects.store.info("a").await.unwrap();
    let subject = format!("$O.o.C.{}", info.nuid);
    let stream = plain.get_stream("OBJ_o").await.unwrap();
    stream.purge().filter(&subject).await.unwrap();
    let other = vec![0; 1000];
    let ack = plain.publish(subject, other.into()).await.unwrap();
    ack.await.unwrap();
    let mut object = objects.get("a").await;
    let mut read = Vec::new();
    let error = within(object.read_to_end(&mut read)).await;
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert!(read.is_empty());
    let get = objects.of_get();
    assert_eq!(
        get[..2],
        ["dynamo_trace.ending=failed", "dynamo_trace.stream.bytes=0"]
    );
    assert_eq!(get[2], "error.type=invalid_data");
    let get = objects.setup.spans.one("get $O.o.>");
    assert_eq!(get.status, Status::error(""));
}

#[tokio::test]
async fn every_call_is_one_span() {
    let Objects { setup, mut store } = objects().await;
    let mut watch = store.watch().await.unwrap();
    store.put("a", &mut &b"content"[..]).await.unwrap();
    let info = store.info("a").await.unwrap();
    store.add_link("link", &info).await.unwrap();
    let mut linked = store.get("link").await.unwrap();
    within(linked.read_to_end(&mut Vec::new())).await.unwrap();
    store.add_link("link2", &linked).await.unwrap();
    store.add_bucket_link("bucket", "other").await.unwrap();
    let renamed = UpdateMetadata {
        name: "a".to_owned(),
        description: Some("d".to_owned()),
        ..UpdateMetadata::default()
    };
    store.update_metadata("a", renamed).await.unwrap();
    let mut list = store.list().await.unwrap();
    let mut names = Vec::new();
    while let Some(info) = within(next(&mut list)).await {
        names.push(info.unwrap().name);
    }
    names.sort();
    assert_eq!(names, ["a", "bucket", "link", "link2"]);
    store.delete("link").await.unwrap();
    let mut history = store.watch_with_history().await.unwrap();
    store.seal().await.unwrap();
    let changed = within(next(&mut watch)).await.unwrap().unwrap();
    assert_eq!(changed.name, "a");
    within(next(&mut history)).await.unwrap().unwrap();
    let spans = setup.spans.all();
    let told: Vec<_> = spans
        .iter()
        .map(|span| {
            assert_eq!(span.span_kind, SpanKind::Client);
            let kind = attribute(span, "messaging.operation.type").unwrap();
            format!("{} {kind}", span.name)
        })
        .collect();
    assert_eq!(
        told,
        [
            "watch $O.o.> receive",
            "put $O.o.> send",
            "info $O.o.> receive",
            "add_link $O.o.> send",
            "get $O.o.> receive",
            "add_link $O.o.> send",
            "add_link $O.o.> send",
            "update_metadata $O.o.> send",
            "list $O.o.> receive",
            "delete $O.o.> send",
            "watch $O.o.> receive",
            "seal $O.o.> send",
        ]
    );
}

#[tokio::test]
async fn what_fails_says_why() {
    let Objects { setup, mut store } = objects().await;
    store.put("a", &mut &b"content"[..]).await.unwrap();
    store.add_bucket_link("bucket", "other").await.unwrap();
    let error = store.get("none").await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::NotFound);
    store.get("bucket").await.unwrap_err();
    store.info("none").await.unwrap_err();
    store.info("").await.unwrap_err();
    store.delete("none").await.unwrap_err();
    let metadata = UpdateMetadata::default();
    store.update_metadata("none", metadata).await.unwrap_err();
    store.add_bucket_link("", "other").await.unwrap_err();
    store.put("b", &mut Broken).await.unwrap_err();
    store.seal().await.unwrap();
    store.put("b", &mut &b"c"[..]).await.unwrap_err();
    let plain = async_nats::jetstream::new(setup.nats.clone().into_inner());
    plain.delete_object_store("o").await.unwrap();
    store.seal().await.unwrap_err();
    let spans = setup.spans.all();
    let told: Vec<_> = spans
        .iter()
        .filter_map(|span| {
            let error = attribute(span, "error.type")?;
            assert_eq!(span.status, Status::error(""));
            Some(format!("{} {error}", span.name))
        })
        .collect();
    assert_eq!(
        told,
        [
            "get $O.o.> not_found",
            "get $O.o.> bucket_link",
            "info $O.o.> not_found",
            "info $O.o.> invalid_name",
            "delete $O.o.> not_found",
            "update_metadata $O.o.> not_found",
            "add_link $O.o.> empty_name",
            "put $O.o.> read_chunks",
            "put $O.o.> publish_chunks",
            "seal $O.o.> info",
        ]
    );
}

/// What cannot be read.
struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("broken")))
    }
}

#[tokio::test]
async fn a_call_is_a_child_of_the_current_span() {
    let objects = objects().await;
    let calls = async {
        objects.put("a", 10).await;
        objects.get("a").await
    };
    let mut object = calls.with_context(remote_context()).await;
    within(object.read_to_end(&mut Vec::new())).await.unwrap();
    for span in objects.setup.spans.all() {
        assert_eq!(span.span_context.trace_id(), remote_span().trace_id());
        assert_eq!(span.parent_span_id, remote_span().span_id());
    }
}

#[tokio::test]
async fn a_put_that_is_given_up_ends_as_cancelled() {
    let objects = objects().await;
    let (mut never, _writer) = tokio::io::duplex(1);
    let mut put = Box::pin(objects.store.put("a", &mut never));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(put.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    drop(put);
    let put = objects.setup.spans.one("put $O.o.>");
    let ending = attribute(&put, "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
    assert_eq!(attribute(&put, "messaging.message.body.size"), None);
}
