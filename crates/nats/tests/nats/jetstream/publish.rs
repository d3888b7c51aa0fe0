use super::{Js, attributes, consumer, durable, pull, start};
use crate::support::{TRACEPARENT, attribute, header, remote_context, remote_span};
use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use dynamo_trace_nats::jetstream;
use dynamo_trace_nats::jetstream::Stream;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use opentelemetry::{Context, KeyValue};
use std::time::Duration;

#[tokio::test]
async fn the_trace_goes_from_publisher_to_worker() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders.*"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    let publish = js.js.publish("orders.new", "hello".into());
    let ack = publish.await.unwrap().await.unwrap();
    assert_eq!((&*ack.stream, ack.sequence), ("ORDERS", 1));
    let [order] = pull(&worker).await;
    let payload = order.try_process(async |order| {
        order.ack().await?;
        Ok::<_, async_nats::Error>(order.payload.clone())
    });
    assert_eq!(payload.await.unwrap(), "hello");

    assert_eq!(
        js.tree(&["messaging.nats.stream", "messaging.nats.message.sequence"]),
        "\
CLIENT fetch ORDERS  {messaging.nats.stream=ORDERS}
  ~ link: PRODUCER publish orders.new

PRODUCER publish orders.new  {messaging.nats.stream=ORDERS, messaging.nats.message.sequence=1}
  CONSUMER process orders.new  {messaging.nats.stream=ORDERS, messaging.nats.message.sequence=1}
"
    );
    let publish = js.spans().one("publish orders.new");
    assert_eq!(publish.status, Status::Unset);
    assert_eq!(
        attributes(&publish),
        [
            "messaging.destination.name=orders.new",
            "messaging.message.body.size=5",
            "messaging.nats.message.sequence=1",
            "messaging.nats.stream=ORDERS",
            "messaging.operation.name=publish",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(publish.instrumentation_scope.name(), "dynamo-trace-nats");
    let process = js.spans().one("process orders.new");
    assert!(process.parent_span_is_remote);
    assert_eq!(
        attributes(&process),
        [
            "dynamo_trace.queue_time=..",
            "messaging.destination.name=orders.new",
            "messaging.destination.subscription.name=worker",
            "messaging.message.body.size=5",
            "messaging.nats.message.delivery_attempt=1",
            "messaging.nats.message.sequence=1",
            "messaging.nats.stream=ORDERS",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn a_publish_is_a_child_of_the_current_span() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let publish = js.js.publish("orders", "".into());
    let ack = publish.with_context(remote_context()).await.unwrap();
    // Where the acknowledgement is awaited does not matter.
    ack.await.unwrap();
    let publish = js.spans().one("publish orders");
    assert_eq!(publish.span_context.trace_id(), remote_span().trace_id());
    assert_eq!(publish.parent_span_id, remote_span().span_id());
}

#[tokio::test]
async fn every_way_to_publish_carries_the_context_and_what_the_author_says() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let headers = || HeaderMap::from_iter([("own".parse().unwrap(), "1".parse().unwrap())]);
    let built = PublishMessage::build()
        .payload("p".into())
        .headers(headers())
        .message_id("7")
        .expected_stream("ORDERS")
        .expected_last_sequence(2);
    let ack = js.js.publish("orders", "p".into()).await.unwrap();
    ack.await.unwrap();
    let ack = js.js.publish_with_headers("orders", headers(), "p".into());
    ack.await.unwrap().await.unwrap();
    let ack = js.js.send_publish("orders", built).await.unwrap();
    ack.await.unwrap();

    for (span, sequence) in js.spans().all().iter().zip(1..) {
        let stored = stream.get_raw_message(sequence).await.unwrap();
        let text = |name| {
            stored
                .headers
                .get_all(name)
                .next()
                .map(|v| v.as_str().to_owned())
        };
        let ids = &span.span_context;
        let expected = format!("00-{}-{}-01", ids.trace_id(), ids.span_id());
        assert_eq!(text("traceparent"), Some(expected));
        assert_eq!(text("own"), (sequence > 1).then(|| "1".to_owned()));
        let id = (sequence == 3).then(|| "7".to_owned());
        assert_eq!(text("Nats-Msg-Id"), id);
        assert_eq!(text("Nats-Expected-Stream").is_some(), sequence == 3);
        assert_eq!(text("Nats-Expected-Last-Sequence").is_some(), sequence == 3);
        assert_eq!(stored.payload, "p");
        assert_eq!(span.span_kind, SpanKind::Producer);
        let recorded = attribute(span, "messaging.message.id");
        assert_eq!(recorded, (sequence == 3).then(|| "7".into()));
    }
    assert_eq!(js.spans().all().len(), 3);
}

#[tokio::test]
async fn a_creation_context_of_the_author_is_kept_and_linked() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let mut headers = HeaderMap::new();
    headers.append("TraceParent", TRACEPARENT);
    let publish = js
        .js
        .publish_with_headers("orders", headers.clone(), "".into());
    publish.await.unwrap().await.unwrap();
    let stored = stream.get_raw_message(1).await.unwrap();
    assert_eq!(stored.headers, headers);
    let publish = js.spans().one("publish orders");
    assert_eq!(publish.span_kind, SpanKind::Client);
    assert_eq!(publish.links.links[0].span_context, remote_span());
    assert_ne!(publish.span_context.trace_id(), remote_span().trace_id());
}

#[tokio::test]
async fn a_duplicate_is_said_to_be_one() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    for _ in 0..2 {
        let publish = PublishMessage::build().message_id("7");
        let ack = js.js.send_publish("orders", publish).await.unwrap();
        ack.await.unwrap();
    }
    let said = ["messaging.nats.message.duplicate", "messaging.message.id"];
    assert_eq!(
        js.tree(&said),
        "\
PRODUCER publish orders  {messaging.message.id=7}

PRODUCER publish orders  {messaging.nats.message.duplicate=true, messaging.message.id=7}
"
    );
}

#[tokio::test]
async fn many_publishes_in_flight_each_end_with_their_own_acknowledgement() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let mut acks = Vec::new();
    for _ in 0..1_000 {
        acks.push(js.js.publish("orders", "".into()).await.unwrap());
    }
    assert!(js.spans().all().is_empty());
    for ack in acks {
        ack.await.unwrap();
    }
    let spans = js.spans().all();
    let sequence = |span| attribute(span, "messaging.nats.message.sequence");
    let sequences: Vec<_> = spans.iter().map(sequence).collect();
    let expected: Vec<_> = (1..=1_000_i64).map(|number| Some(number.into())).collect();
    assert_eq!(sequences, expected);
    let ids: std::collections::HashSet<_> = spans
        .iter()
        .map(|span| span.span_context.span_id())
        .collect();
    assert_eq!(ids.len(), 1_000);
}

#[tokio::test]
async fn a_context_for_another_prefix_or_with_a_timeout_publishes_too() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let nats = &js.setup.nats;
    let mut timed = jetstream::with_prefix(nats, "$JS.API");
    timed.set_timeout(Duration::from_secs(7));
    for js in [timed, jetstream::with_domain(nats, "hub")] {
        let ack = js.publish("orders", "".into()).await.unwrap();
        assert_eq!(ack.await.unwrap().stream, "ORDERS");
    }
    assert_eq!(js.spans().names(), ["publish orders"; 2]);
}

#[tokio::test]
async fn templates_name_publishes() {
    let js = start().await;
    js.stream("ORDERS", &["orders.>"]).await;
    let nats = js.setup.nats.clone().with_subject_templates(["orders.*"]);
    let context = jetstream::new(&nats);
    let ack = context.publish("orders.1", "".into()).await.unwrap();
    ack.await.unwrap();
    let span = js.spans().one("publish orders.*");
    let template = attribute(&span, "messaging.destination.template");
    assert_eq!(template, Some("orders.*".into()));
}

#[tokio::test]
async fn the_context_is_left_out_where_the_message_would_become_too_large() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let payload = vec![0; js.setup.nats.max_payload() - 10];
    let ack = js.js.publish("orders", payload.into()).await.unwrap();
    ack.await.unwrap();
    let stored = stream.get_raw_message(1).await.unwrap();
    assert!(stored.headers.is_empty());
    assert_eq!(js.spans().one("publish orders").status, Status::Unset);
}

/// Publishes a message of so many bytes with this context; tells which fields were stored.
async fn fields(js: &Js, stream: &Stream, bytes: usize, context: Context) -> [bool; 2] {
    let publish = js.js.publish("orders", vec![0; bytes].into());
    let ack = publish.with_context(context).await.unwrap().await.unwrap();
    let stored = stream.get_raw_message(ack.sequence).await.unwrap();
    ["traceparent", "baggage"].map(|name| stored.headers.get_all(name).next().is_some())
}

#[tokio::test]
async fn the_context_is_left_out_where_its_headers_would_be_too_long() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    for (length, is_carried) in [(65_400, true), (65_500, false)] {
        let mut own = HeaderMap::new();
        own.append("own", "x".repeat(length));
        let publish = js.js.publish_with_headers("orders", own.clone(), "".into());
        let ack = publish.await.unwrap().await.unwrap();
        let stored = stream.get_raw_message(ack.sequence).await.unwrap();
        let carried = stored.headers.get_all("traceparent").next();
        assert_eq!(carried.is_some(), is_carried);
        // Not compared by `==`, which would show both.
        assert!(stored.headers.get_all("own").eq(own.get_all("own")));
    }
}

#[tokio::test]
async fn the_context_is_left_out_where_a_stream_takes_no_larger_message() {
    let js = start().await;
    let limited = stream::Config {
        max_message_size: 1_000,
        ..Default::default()
    };
    let stream = js.stream_with("ORDERS", &["orders"], limited.clone()).await;
    let traceparent = "NATS/1.0\r\ntraceparent: \r\n\r\n".len() + TRACEPARENT.len();
    let baggage = "baggage: k=v\r\n".len();
    let context = || remote_context().with_baggage([KeyValue::new("k", "v")]);
    for (free, expected) in [
        (0, [false, false]),
        (traceparent - 1, [false, false]),
        (traceparent, [true, false]),
        (traceparent + baggage - 1, [true, false]),
        (traceparent + baggage, [true, true]),
    ] {
        let found = fields(&js, &stream, 1_000 - free, context()).await;
        assert_eq!(found, expected, "{free} bytes are free");
    }
    // Another stream has no part in it, and one that takes more says so.
    js.stream("OTHER", &["other"]).await;
    let ack = js.js.publish("other", vec![0; 2_000].into()).await;
    ack.unwrap().await.unwrap();
    let stored = js
        .js
        .get_stream("OTHER")
        .await
        .unwrap()
        .get_raw_message(1)
        .await
        .unwrap();
    assert!(stored.headers.get_all("traceparent").next().is_some());
    let more = stream::Config {
        max_message_size: -1,
        ..stream.cached_info().config.clone()
    };
    js.js.update_stream(more).await.unwrap();
    assert_eq!(fields(&js, &stream, 1_000, context()).await, [false, false]);
    let stream = js.js.get_stream("ORDERS").await.unwrap();
    assert_eq!(fields(&js, &stream, 1_000, context()).await, [true, true]);
}

#[tokio::test]
async fn what_is_sent_by_a_worker_continues_the_trace() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders", "paid"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    js.publish("orders", "").await;
    let [order] = pull(&worker).await;
    order.process(async |_| js.publish("paid", "").await).await;
    let [paid] = pull(&worker).await;
    assert!(header(&paid, "traceparent").is_some());
    paid.process(async |_| {}).await;
    assert_eq!(
        js.tree(&[]),
        "\
CLIENT fetch ORDERS
  ~ link: PRODUCER publish orders

CLIENT fetch ORDERS
  ~ link: PRODUCER publish paid

PRODUCER publish orders
  CONSUMER process orders
    PRODUCER publish paid
      CONSUMER process paid
"
    );
}

/// Drop-in: the shape of code that was written for async-nats.
#[tokio::test]
async fn code_for_async_nats_works_as_it_was() {
    let js = start().await;
    let Js { js, .. } = &js;
    let mut stream = js.get_or_create_stream("events").await.unwrap();
    let consumer = stream
        .get_or_create_consumer("worker", durable("worker"))
        .await
        .unwrap();
    js.publish("events", "data".into())
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    assert_eq!(stream.cached_info().config.name, "events");
    let mut messages = consumer.messages().await.unwrap();
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.info().unwrap().stream_sequence, 1);
    assert_eq!(message.subject.as_str(), "events");
    let mut found: jetstream::PullConsumer = stream.get_consumer("worker").await.unwrap();
    assert_eq!(found.info().await.unwrap().num_ack_pending, 1);
    message.into_inner().double_ack().await.unwrap();
    assert_eq!(found.info().await.unwrap().num_ack_pending, 0);
    js.delete_stream("events").await.unwrap();
}
