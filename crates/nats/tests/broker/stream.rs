use crate::support::*;
use async_nats::HeaderMap;
use dynamo_trace_nats::Client;

const STREAM: &str = r#"{"name":"S","subjects":["stored.*"],"storage":"memory",
    "max_msgs_per_subject":1,"discard":"new","discard_new_per_subject":true}"#;

/// By hand and without spans.
async fn create(client: &Client, subject: &str, what: &'static str) {
    let plain: &async_nats::Client = client;
    let created = plain.request(subject.to_owned(), what.into()).await;
    let created = created.unwrap().payload;
    assert!(
        !String::from_utf8_lossy(&created).contains("\"error\""),
        "{created:?}"
    );
}

#[tokio::test]
async fn a_trace_shows_what_a_stream_stores() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let counts = broker_spans(&a).await;
    create(&a, "$JS.API.STREAM.CREATE.S", STREAM).await;
    let mut delivered = a.subscribe("delivered").await.unwrap();
    let consumer = r#"{"stream_name":"S","config":{"deliver_subject":"delivered"}}"#;
    create(&a, "$JS.API.CONSUMER.CREATE.S", consumer).await;
    a.request("stored.1", "".into()).await.unwrap();
    // Out of the store, where servers before 2.14 have renamed the field.
    process(&mut delivered).await;
    until(async || counts.recorded() == 1).await;
    assert_eq!(
        spans.tree(),
        "\
CLIENT request stored.1
  CONSUMER process delivered
  INTERNAL relay stored.1
    . nats.stream_store: stored.1 S
"
    );
    let relay = spans.one("relay stored.1");
    let stream = attribute(&relay, "messaging.nats.stream");
    assert_eq!(stream, Some("S".into()));
}

#[tokio::test]
async fn what_a_stream_does_not_store_fails() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let counts = broker_spans(&a).await;
    create(&a, "$JS.API.STREAM.CREATE.S", STREAM).await;
    let id = || {
        let mut headers = HeaderMap::new();
        headers.append("Nats-Msg-Id", "7");
        headers
    };
    for (subject, headers) in [
        ("stored.1", HeaderMap::new()),
        ("stored.1", HeaderMap::new()),
        ("stored.2", id()),
        ("stored.2", id()),
    ] {
        let stored = a.request_with_headers(subject, headers, "".into());
        stored.await.unwrap();
        let published =
            spans.named("request stored.1").len() + spans.named("request stored.2").len();
        until(async || counts.recorded() == published as u64).await;
    }
    assert_eq!(
        spans.tree(),
        "\
CLIENT request stored.1
  INTERNAL relay stored.1
    . nats.stream_store: stored.1 S
CLIENT request stored.1
  INTERNAL relay stored.1 !max_messages_per_subject_exceeded
    . nats.stream_store: stored.1 S max_messages_per_subject_exceeded
CLIENT request stored.2
  INTERNAL relay stored.2
    . nats.stream_store: stored.2 S
CLIENT request stored.2
  INTERNAL relay stored.2
    . nats.stream_store: S true
"
    );
    let duplicate = &spans.named("relay stored.2")[1];
    let said = text(
        &duplicate.events[0].attributes,
        "messaging.nats.message.duplicate",
    );
    assert_eq!(said, "true");
}
