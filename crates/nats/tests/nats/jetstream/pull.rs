//! Pull requests, and what they bring.

use super::{Js, attributes, consumer, durable, pull, start, take_all};
use crate::support::{DEADLINE, attribute, remote_context, remote_span, settle, within};
use async_nats::jetstream::consumer::pull::{Config, OrderedConfig};
use dynamo_trace_nats::Received;
use dynamo_trace_nats::jetstream::{Message, OrderedPullConsumer, PullConsumer};
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

/// A worker, and as many messages as said.
async fn with_messages(js: &Js, count: usize) -> PullConsumer {
    let stream = js.stream("ORDERS", &["orders"]).await;
    for number in 0..count {
        js.publish("orders", &number.to_string()).await;
    }
    consumer(&stream, durable("worker")).await
}

const COUNT: &str = "messaging.batch.message_count";

#[tokio::test]
async fn a_fetch_is_linked_to_what_it_brought() {
    let js = start().await;
    let worker = with_messages(&js, 3).await;
    let fetch = worker.fetch().max_messages(10).messages();
    let mut batch = fetch.with_context(remote_context()).await.unwrap();
    let orders: [Received<Message>; 3] = take_all(&mut batch).await;
    assert!(!js.spans().names().contains(&"fetch ORDERS".to_owned()));
    assert!(batch.next().await.is_none());
    assert!(batch.next().await.is_none());
    for order in orders {
        assert_eq!(order.relation(), dynamo_trace_nats::Relation::Parent);
    }
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(fetch.span_kind, SpanKind::Client);
    assert_eq!(fetch.status, Status::Unset);
    assert_eq!(fetch.span_context.trace_id(), remote_span().trace_id());
    assert_eq!(fetch.parent_span_id, remote_span().span_id());
    assert_eq!(
        attributes(&fetch),
        [
            "messaging.batch.message_count=3",
            "messaging.destination.subscription.name=worker",
            "messaging.nats.stream=ORDERS",
            "messaging.operation.name=fetch",
            "messaging.operation.type=receive",
            "messaging.system=nats",
        ]
    );
    let published: Vec<_> = js.spans().all().into_iter().take(3).collect();
    let links = fetch.links.links.iter().map(|link| &link.span_context);
    assert!(
        links
            .map(|link| link.span_id())
            .eq(published.iter().map(|span| span.span_context.span_id()))
    );
    // Received, not processed: no span.
    assert_eq!(js.spans().all().len(), 4);
}

#[tokio::test]
async fn a_fetch_ends_with_the_last_message_that_was_asked_for() {
    let js = start().await;
    let worker = with_messages(&js, 3).await;
    let mut batch = worker.fetch().max_messages(2).messages().await.unwrap();
    let _orders: [Received<Message>; 2] = take_all(&mut batch).await;
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(attribute(&fetch, COUNT), Some(2.into()));
    assert_eq!(attribute(&fetch, "dynamo_trace.ending"), None);
    assert!(batch.next().await.is_none());
    drop(batch);
    js.spans().one("fetch ORDERS");
}

#[tokio::test]
async fn a_fetch_does_not_last_as_long_as_the_work() {
    let js = start().await;
    let worker = with_messages(&js, 1).await;
    let mut batch = worker.fetch().max_messages(10).messages().await.unwrap();
    let [_order]: [Received<Message>; 1] = take_all(&mut batch).await;
    // That there are no others has arrived by now.
    settle(&js.setup.nats).await;
    let worked_until = SystemTime::now();
    assert!(batch.next().await.is_none());
    assert!(js.spans().one("fetch ORDERS").end_time <= worked_until);
}

#[tokio::test]
async fn a_fetch_that_does_not_say_is_for_two_hundred_messages() {
    let js = start().await;
    let worker = with_messages(&js, 201).await;
    let mut batch = worker.fetch().messages().await.unwrap();
    let _: [Received<Message>; 199] = take_all(&mut batch).await;
    assert!(!js.spans().names().contains(&"fetch ORDERS".to_owned()));
    let _: [Received<Message>; 1] = take_all(&mut batch).await;
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(attribute(&fetch, COUNT), Some(200.into()));
    assert!(batch.next().await.is_none());
}

#[tokio::test]
async fn a_fetch_that_is_dropped_is_cancelled() {
    let js = start().await;
    let worker = with_messages(&js, 3).await;
    let mut batch = worker.fetch().messages().await.unwrap();
    let [_order] = take_all(&mut batch).await;
    drop(batch);
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(attribute(&fetch, COUNT), Some(1.into()));
    assert_eq!(
        attribute(&fetch, "dynamo_trace.ending"),
        Some("cancelled".into())
    );
    assert_eq!(fetch.status, Status::Unset);
}

#[tokio::test]
async fn a_fetch_that_finds_nothing_completes() {
    let js = start().await;
    let worker = with_messages(&js, 0).await;
    let mut batch = worker.fetch().messages().await.unwrap();
    assert!(within(batch.next()).await.is_none());
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(attribute(&fetch, COUNT), Some(0.into()));
    assert_eq!(attribute(&fetch, "dynamo_trace.ending"), None);
}

#[tokio::test]
async fn links_beyond_the_limit_of_the_sdk_are_counted() {
    let js = start().await;
    let worker = with_messages(&js, 150).await;
    let _orders: [Received<Message>; 150] = pull(&worker).await;
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(attribute(&fetch, COUNT), Some(150.into()));
    assert_eq!(fetch.links.links.len(), 128);
    assert_eq!(fetch.links.dropped_count, 22);
}

#[tokio::test]
async fn the_options_of_a_request_reach_the_server() {
    let js = start().await;
    let worker = with_messages(&js, 5).await;
    let ms = Duration::from_millis;
    // Each has a name of its own in the span of the requests, and says what it brought.
    let fetch = worker
        .fetch()
        .max_bytes(1)
        .expires(ms(100))
        .heartbeat(ms(40));
    let fetch = fetch.min_pending(0).min_ack_pending(0);
    let mut fetch = fetch.messages().await.unwrap();
    let error = within(fetch.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("409"), "{error}");
    let batch = worker.batch().max_messages(2).max_bytes(100_000);
    let batch = batch.expires(DEADLINE).heartbeat(ms(0));
    let batch = batch.min_pending(0).min_ack_pending(0);
    let _: [Received<Message>; 2] = take_all(&mut batch.messages().await.unwrap()).await;
    let stream = worker
        .stream()
        .max_messages_per_batch(1)
        .max_bytes_per_batch(100_000);
    let stream = stream.expires(DEADLINE).heartbeat(ms(500));
    let stream = stream.min_pending(0).min_ack_pending(0);
    let mut stream = stream.messages().await.unwrap();
    for _ in 0..3 {
        within(stream.next()).await.unwrap().unwrap();
    }
    let fetches = js
        .spans()
        .all()
        .into_iter()
        .filter(|span| span.name == "fetch ORDERS");
    let counts: Vec<_> = fetches.map(|span| attribute(&span, COUNT)).collect();
    assert_eq!(counts, [Some(0.into()), Some(2.into())]);
}

#[tokio::test]
async fn a_sequence_has_a_span_for_each_request() {
    let js = start().await;
    let worker = with_messages(&js, 4).await;
    let mut batches = worker.sequence(2).unwrap();
    for _ in 0..2 {
        let mut batch = within(batches.next()).await.unwrap().unwrap();
        let _: [Received<Message>; 2] = take_all(&mut batch).await;
    }
    drop(batches);
    let tree = js.tree(&[COUNT]);
    let fetch = "\
CLIENT fetch ORDERS  {messaging.batch.message_count=2}
  ~ link: PRODUCER publish orders
  ~ link: PRODUCER publish orders
";
    assert!(tree.starts_with(&format!("{fetch}\n{fetch}\n")), "{tree}");
    assert_eq!(tree.matches("fetch").count(), 2, "{tree}");
}

#[tokio::test]
async fn a_request_of_a_sequence_that_is_given_up_is_cancelled() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    let mut batches = worker.sequence(2).unwrap();
    {
        let mut next = pin!(batches.next());
        let polled = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        // With room in the connection's buffer the request is handed over at once.
        let Poll::Ready(Some(Ok(batch))) = polled else {
            panic!("{polled:?}");
        };
        drop(batch);
    }
    drop(batches);
    let fetch = js.spans().one("fetch ORDERS");
    assert_eq!(
        attribute(&fetch, "dynamo_trace.ending"),
        Some("cancelled".into())
    );
}

#[tokio::test]
async fn what_is_pulled_ahead_has_no_span_before_it_is_processed() {
    let js = start().await;
    let worker = with_messages(&js, 3).await;
    let mut messages = worker.messages().await.unwrap();
    for _ in 0..2 {
        let received = within(messages.next()).await.unwrap().unwrap();
        received.process(async |_| {}).await;
    }
    drop(messages);
    let expected = "\
PRODUCER publish orders

PRODUCER publish orders
  CONSUMER process orders

PRODUCER publish orders
  CONSUMER process orders
";
    assert_eq!(js.tree(&[]), expected);
}

#[tokio::test]
async fn ordered_messages_come_in_order() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    for number in 0..5 {
        js.publish("orders", &number.to_string()).await;
    }
    let ordered: OrderedPullConsumer = stream
        .create_consumer(OrderedConfig::default())
        .await
        .unwrap();
    let mut messages = ordered.messages().await.unwrap();
    for number in 0..5 {
        let received = within(messages.next()).await.unwrap().unwrap();
        let payload = received
            .process(async |message| message.payload.clone())
            .await;
        assert_eq!(payload, number.to_string());
    }
    assert_eq!(js.spans().names().len(), 10);
    let process = js.spans().all().pop().unwrap();
    assert_eq!(
        attribute(&process, "messaging.nats.message.sequence"),
        Some(5.into())
    );
    // An ordered consumer has a name that the server made up, and no durable one.
    assert_eq!(
        attribute(&process, "messaging.destination.subscription.name"),
        None
    );
}

#[tokio::test]
async fn every_way_to_a_consumer_receives_with_context() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let Js { js: context, setup } = &js;
    let plain = async_nats::jetstream::new((*setup.nats).clone());
    let plain = plain.get_stream("ORDERS").await.unwrap();
    let created = stream.create_consumer(durable("created")).await.unwrap();
    let no_info = context.get_stream_no_info("ORDERS").await.unwrap();
    let all: Vec<PullConsumer> = vec![
        created,
        stream.get_consumer("created").await.unwrap(),
        stream
            .get_or_create_consumer("second", durable("second"))
            .await
            .unwrap(),
        no_info.get_consumer("second").await.unwrap(),
        context
            .get_consumer_from_stream("second", "ORDERS")
            .await
            .unwrap(),
        context
            .create_consumer_on_stream(durable("third"), "ORDERS")
            .await
            .unwrap(),
        context.consumer(plain.get_consumer::<Config>("third").await.unwrap()),
        context.stream(plain).get_consumer("third").await.unwrap(),
        context
            .get_stream("ORDERS")
            .await
            .unwrap()
            .get_consumer("third")
            .await
            .unwrap(),
    ];
    for worker in all {
        js.publish("orders", "").await;
        let [received] = pull(&worker).await;
        assert!(received.remote().span_context().is_some());
        received.double_ack().await.unwrap();
        worker.into_inner().info().await.unwrap();
    }
}

/// The server of Debian 12, 2.9, takes every creation for an update.
#[tokio::test]
async fn a_consumer_is_updated_or_created_strictly() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let described = |description: &str| Config {
        description: Some(description.to_owned()),
        ..durable("worker")
    };
    let created = stream.create_consumer_strict(described("a")).await.unwrap();
    assert_eq!(
        created.cached_info().config.description.as_deref(),
        Some("a")
    );
    let updated = stream.update_consumer(described("b")).await.unwrap();
    assert_eq!(
        updated.cached_info().config.description.as_deref(),
        Some("b")
    );
    let updated = js
        .js
        .update_consumer_on_stream(described("c"), "ORDERS")
        .await
        .unwrap();
    assert_eq!(
        updated.cached_info().config.description.as_deref(),
        Some("c")
    );
    let other = js
        .js
        .create_consumer_strict_on_stream(durable("other"), "ORDERS")
        .await
        .unwrap();
    assert_eq!(other.cached_info().name, "other");
}
