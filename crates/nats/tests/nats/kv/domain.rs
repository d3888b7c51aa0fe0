//! Buckets of another domain: their subjects begin with a prefix that only async-nats knows.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, CreateErrorKind, PutErrorKind};
use dynamo_trace_nats::jetstream::{self, Context};
use dynamo_trace_nats::{Client, Relation};
use dynamo_trace_testkit::servers::NatsServer;
use std::time::Duration;

struct Hub {
    _server: NatsServer,
    nats: Client,
    spans: Spans,
}

async fn hub(config: &str) -> Hub {
    let config = format!("jetstream {{ domain: hub }}\n{config}");
    let server = NatsServer::start_with(&config).await;
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let (provider, spans) = provider();
    let nats = async_nats::connect(server.url()).await.unwrap();
    Hub {
        _server: server,
        nats: Client::new(nats).with_tracer_provider(&provider),
        spans,
    }
}

fn own_context(nats: &Client) -> Context {
    let context = async_nats::jetstream::ContextBuilder::new()
        .domain("hub")
        .timeout(Duration::from_secs(2))
        .build((**nats).clone());
    Context::new(nats, context)
}

#[tokio::test]
async fn every_write_to_another_domain_carries_context() {
    let hub = hub("").await;
    let by_prefix = jetstream::with_prefix(&hub.nats, "$JS.hub.API");
    let by_domain = jetstream::with_domain(&hub.nats, "hub");
    let contexts = [by_domain, by_prefix, own_context(&hub.nats)];
    for (context, bucket) in contexts.iter().zip(["b1", "b2", "b3"]) {
        let bucket = bucket.to_owned();
        let config = named(Config::default());
        let store = create(context, Config { bucket, ..config }).await;
        assert!(store.use_jetstream_prefix);
        let mut watch = store.watch_all().await.unwrap();
        assert_eq!(store.put("k", "1".into()).await.unwrap(), 1);
        assert_eq!(store.update("k", "2".into(), 1).await.unwrap(), 2);
        store.delete("k").await.unwrap();
        assert_eq!(store.create("k", "3".into()).await.unwrap(), 4);
        // Of a key of its own: it takes what was not delivered before.
        store.purge("other").await.unwrap();
        for revision in 1..=5 {
            let entry = change(&mut watch).await;
            assert_eq!(entry.revision, revision);
            assert!(entry.remote().span_context().is_some());
            assert_eq!(entry.relation(), Relation::Parent);
        }
    }
    assert_eq!(hub.spans.all().len(), 3 * 6);
}

#[tokio::test]
async fn what_is_refused_is_async_nats_own_error() {
    let hub = hub("").await;
    let context = jetstream::with_domain(&hub.nats, "hub");
    let store = create(&context, named(Config::default())).await;
    let theirs = store.clone().into_inner();
    let text = |error: &dyn std::error::Error| error.to_string();

    store.put("k", "1".into()).await.unwrap();
    let error = store.create("k", "2".into()).await.unwrap_err();
    assert_eq!(error.kind(), CreateErrorKind::AlreadyExists);
    let (error, expected) = (
        store.update("k", "2".into(), 9).await.unwrap_err(),
        theirs.update("k", "2".into(), 9).await.unwrap_err(),
    );
    assert_eq!(
        (error.kind(), text(&error)),
        (expected.kind(), text(&expected))
    );
    let large = bytes::Bytes::from(vec![0; hub.nats.max_payload() + 1]);
    let (error, expected) = (
        store.put("k", large.clone()).await.unwrap_err(),
        theirs.put("k", large).await.unwrap_err(),
    );
    assert_eq!(error.kind(), expected.kind());

    context.delete_key_value("b").await.unwrap();
    let (error, expected) = (
        store.put("k", "".into()).await.unwrap_err(),
        theirs.put("k", "".into()).await.unwrap_err(),
    );
    assert_eq!(
        (error.kind(), text(&error)),
        (expected.kind(), text(&expected))
    );
    let errors = hub.spans.all().into_iter().filter_map(|span| {
        let error = attribute(&span, "error.type")?;
        Some(error.to_string())
    });
    assert_eq!(
        errors.collect::<Vec<_>>(),
        [
            "already_exists",
            "wrong_last_sequence",
            "max_payload_exceeded",
            "stream_not_found",
        ]
    );
}

/// A bucket whose writes go below a prefix that no server knows, and who takes them instead.
async fn below(prefix: &str) -> (Bucket, async_nats::Subscriber) {
    let mut bucket = bucket().await;
    let nats = bucket.setup.nats.clone().into_inner();
    let taker = nats.subscribe(format!("{prefix}.>")).await.unwrap();
    let mut context = jetstream::with_prefix(&bucket.setup.nats, prefix);
    context.set_timeout(Duration::from_millis(200));
    let mut store = bucket.plain();
    store.use_jetstream_prefix = true;
    bucket.store = jetstream::kv::Store::new(&context, store);
    (bucket, taker)
}

#[tokio::test]
async fn a_write_is_sent_below_the_prefix_and_its_answer_read() {
    let (Bucket { setup, store }, mut taker) = below("my.api").await;
    let nats = setup.nats.clone().into_inner();
    let mut put = async |answer: &'static str| {
        let answer = async {
            let message = take_plain(&mut taker).await;
            assert_eq!(&*message.subject, "my.api.$KV.b.k");
            assert_eq!(message.payload, "v");
            assert!(header(&message, "traceparent").is_some());
            let reply = message.reply.unwrap();
            nats.publish(reply, answer.into()).await.unwrap();
        };
        let (put, ()) = tokio::join!(store.put("k", "v".into()), answer);
        put.map_err(|error| error.to_string())
    };
    assert_eq!(put(r#"{"stream":"KV_b","seq":7}"#).await, Ok(7));
    let refused = r#"{"error":{"code":400,"err_code":10077,"description":"full"}}"#;
    assert!(put(refused).await.unwrap_err().contains("full"));
    for garbage in ["", "{}", "\0", r#"{"error":{}}"#, r#"{"seq":-1}"#] {
        put(garbage).await.unwrap_err();
    }
    let errors = setup.spans.all().into_iter();
    let errors: Vec<_> = errors
        .filter_map(|span| Some(attribute(&span, "error.type")?.to_string()))
        .collect();
    assert_eq!(errors[0], "10077");
    assert_eq!(errors[1..], ["_OTHER"; 5]);
}

#[tokio::test]
async fn a_write_without_an_answer_times_out() {
    let (Bucket { setup, store }, _taker) = below("my.api").await;
    let error = store.put("k", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), PutErrorKind::Ack);
    let put = setup.spans.one("put $KV.b.>");
    assert_eq!(attribute(&put, "error.type"), Some("timeout".into()));
}

#[tokio::test]
async fn without_a_domain_nothing_is_below_a_prefix() {
    assert!(!bucket().await.store.use_jetstream_prefix);
}
