//! Foreign writers, garbage, and a bucket that goes away under its watch.

use crate::kv::*;
use crate::support::*;
use async_nats::HeaderMap;
use async_nats::jetstream::kv::{Operation, WatcherError, WatcherErrorKind};
use dynamo_trace_nats::Relation;
use opentelemetry::trace::SpanId;

#[tokio::test]
async fn an_entry_of_a_writer_without_context_is_unlinked() {
    let bucket = bucket().await;
    let mut watch = bucket.store.watch_all().await.unwrap();
    bucket.plain().put("k", "v".into()).await.unwrap();
    let entry = change(&mut watch).await;
    assert!(entry.remote().is_empty());
    entry.process(async |_| {}).await;
    let read = bucket.store.entry("k").await.unwrap().unwrap();
    read.process(async |_| {}).await;
    for span in bucket.setup.spans.all() {
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        assert!(span.links.is_empty(), "{}", span.name);
    }
}

#[tokio::test]
async fn garbage_is_the_same_entry_as_to_async_nats() {
    let bucket = bucket().await;
    let (store, plain) = (&bucket.store, bucket.plain());
    let mut watch = store.watch_all().await.unwrap();
    let mut expected = plain.watch_all().await.unwrap();
    let large = format!("traceparent: {}\r\n", "0".repeat(60_000));
    let many = "traceparent: 00-\r\n".repeat(3_000);
    let garbage: [&[u8]; 14] = [
        b"",
        b"traceparent:\r\n",
        b"traceparent: 00-\r\ntracestate: ===\r\nbaggage: %%%=%zz;;;\r\n",
        "traceparent: \u{e9}\u{1f600}\r\n".as_bytes(),
        b"traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        b"KV-Operation: \r\n",
        b"KV-Operation: del\r\n",
        b"KV-Operation: DEL\r\nKV-Operation: PURGE\r\n",
        b"KV-Operation: PURGE\r\nKV-Operation: DEL\r\n",
        b"kv-operation: DEL\r\n",
        b"Nats-Marker-Reason: Remove\r\n",
        b"Nats-Marker-Reason: \x01\x02\r\n",
        large.as_bytes(),
        many.as_bytes(),
    ];
    for headers in garbage {
        let name = String::from_utf8_lossy(&headers[..headers.len().min(40)]);
        let server = &bucket.setup.server;
        server.publish_raw("$KV.b.k", headers, b"value").await;
        let theirs = within(next(&mut expected)).await.unwrap().unwrap();
        let ours = change(&mut watch).await;
        assert_eq!(*ours, theirs, "{name:?}");
        assert!(ours.remote().span_context().is_none(), "{name:?}");
        ours.process(async |_| {}).await;
        let process = bucket.setup.spans.all().pop().unwrap();
        assert_eq!(process.parent_span_id, SpanId::INVALID, "{name:?}");

        let theirs = plain.entry("k").await.unwrap().unwrap();
        let ours = store.entry("k").await.unwrap().unwrap();
        assert_eq!(*ours, theirs, "{name:?}");
        let value = store.get("k").await.unwrap();
        assert_eq!(value, plain.get("k").await.unwrap(), "{name:?}");
    }
}

#[tokio::test]
async fn a_foreign_context_is_continued_and_a_bomb_is_not() {
    let Bucket { setup, store } = &bucket().await;
    let mut watch = store.watch_all().await.unwrap();
    let bomb = format!(
        "Traceparent: {TRACEPARENT}\r\n{}",
        format!("baggage: k={}\r\n", "v".repeat(4_000)).repeat(14)
    );
    setup
        .server
        .publish_raw("$KV.b.k", bomb.as_bytes(), b"")
        .await;
    let entry = change(&mut watch).await;
    assert_eq!(entry.remote().span_context(), Some(&remote_span()));
    assert_eq!(entry.relation(), Relation::Parent);
    let baggage = entry
        .process(async |_| {
            use opentelemetry::baggage::BaggageExt;
            opentelemetry::Context::current().baggage().len()
        })
        .await;
    assert_eq!(baggage, 0);
    let process = setup.spans.one("process $KV.b.>");
    assert_eq!(process.parent_span_id, remote_span().span_id());
}

/// JetStream stores no such headers, whoever sends them: nobody sees an entry, and the watch
/// goes on.
#[tokio::test]
async fn headers_of_a_megabyte_are_no_entry() {
    let Bucket { setup, store } = &bucket().await;
    let mut watch = store.watch_all().await.unwrap();
    let huge = format!("traceparent: {}\r\n", "0".repeat(1_000_000));
    setup
        .server
        .publish_raw("$KV.b.k", huge.as_bytes(), b"")
        .await;
    store.put("after", "".into()).await.unwrap();
    let entry = change(&mut watch).await;
    assert_eq!((&*entry.key, entry.revision), ("after", 1));
    assert!(store.get("k").await.unwrap().is_none());
}

/// What does not come by way of the stream: a republished message, or somebody who guesses the
/// inbox of a watch.
#[tokio::test]
async fn a_writer_may_call_itself_what_it_likes() {
    let Bucket { setup, store } = &bucket().await;
    let mut watch = store.watch_all().await.unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("Nats-Sequence", "x"),
        ("Nats-Time-Stamp", "never"),
        ("Nats-Stream", "other"),
        ("Nats-Subject", "$KV.other.k"),
    ] {
        headers.append(name, value);
    }
    let plain = async_nats::jetstream::new(setup.nats.clone().into_inner());
    let ack = plain.publish_with_headers("$KV.b.k", headers, "".into());
    ack.await.unwrap().await.unwrap();
    let entry = change(&mut watch).await;
    assert_eq!((&*entry.key, entry.operation), ("k", Operation::Put));
    // Of a direct get the server adds the same names: ours reads what async-nats reads.
    let theirs = store.clone().into_inner().entry("k").await;
    let ours = store.entry("k").await;
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours.map(|entry| entry.into_inner()), theirs),
        (ours, theirs) => assert_eq!(
            ours.unwrap_err().to_string(),
            theirs.unwrap_err().to_string()
        ),
    }
}

#[tokio::test]
async fn a_watch_of_a_deleted_bucket_says_what_that_of_async_nats_says() {
    let bucket = bucket().await;
    let mut watch = bucket.store.watch_all().await.unwrap();
    let mut expected = bucket.plain().watch_all().await.unwrap();
    bucket.store.put("k", "v".into()).await.unwrap();
    within(next(&mut expected)).await.unwrap().unwrap();
    change(&mut watch).await.process(async |_| {}).await;
    let plain = async_nats::jetstream::new(bucket.setup.nats.clone().into_inner());
    plain.delete_key_value("b").await.unwrap();
    // Heartbeats fail to come, for ten seconds. Then both try to begin again, for ever.
    let (ours, theirs) = tokio::join!(within(watch.next()), within(next(&mut expected)));
    let text = |error: WatcherError| (error.kind(), error.to_string());
    let ours = text(ours.unwrap().unwrap_err());
    assert_eq!(ours, text(theirs.unwrap().unwrap_err()));
}

/// The inbox of a watch, as a consumer of the bucket's stream shows it to whoever may ask.
#[tokio::test]
async fn what_somebody_writes_to_the_inbox_of_a_watch_is_an_error() {
    let bucket = bucket().await;
    let mut watch = bucket.store.watch_all().await.unwrap();
    let stream = bucket.plain().stream;
    let consumer = within(next(&mut stream.consumers())).await;
    let inbox = consumer.unwrap().unwrap().config.deliver_subject.unwrap();
    let server = &bucket.setup.server;
    server
        .publish_raw(&inbox, b"KV-Operation: DEL\r\n", b"")
        .await;
    let error = within(watch.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), WatcherErrorKind::Consumer);
    bucket.store.put("k", "".into()).await.unwrap();
    assert_eq!(change(&mut watch).await.key, "k");
}

/// async-nats would panic.
#[tokio::test]
async fn an_entry_that_is_not_the_buckets_is_an_error() {
    let setup = setup().await;
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let config = async_nats::jetstream::stream::Config {
        subjects: vec!["$KV.>".to_owned()],
        ..stream_of(named(Default::default()))
    };
    drop(context.create_stream(config).await.unwrap());
    let mut store = context.get_key_value("b").await.unwrap().into_inner();
    store.prefix = "$KV.*.".to_owned();
    let store = dynamo_trace_nats::jetstream::kv::Store::new(&context, store);
    let mut watch = store.watch_all().await.unwrap();
    let ack = context.publish("$KV.b.k", "".into()).await.unwrap();
    ack.await.unwrap();
    let error = within(watch.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), WatcherErrorKind::Other);
}
