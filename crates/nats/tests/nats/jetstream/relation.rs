//! How a message is related to its sender: by age and deliveries.

use super::{Js, consumer, durable, pull, start};
use crate::support::{Setup, attribute, remote_context, remote_span};
use async_nats::jetstream::AckKind;
use dynamo_trace_nats::{Relation, RelationRule, Trust, jetstream};
use opentelemetry::trace::FutureExt;
use std::time::Duration;

/// A message of a context with this rule, which is processed.
async fn tree(rule: RelationRule) -> String {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let Js { setup, .. } = &js;
    let context = jetstream::new(&setup.nats.clone().with_relation(rule));
    let stream = context.get_stream("ORDERS").await.unwrap();
    let worker = consumer(&stream, durable("worker")).await;
    js.publish("orders", "").await;
    let [order] = pull(&worker).await;
    order.process(async |_| {}).await;
    js.tree(&[])
}

const CHILD: &str = "\
PRODUCER publish orders
  CONSUMER process orders
";
const LINKED: &str = "\
CONSUMER process orders
  ~ link: PRODUCER publish orders
";

#[tokio::test]
async fn a_fresh_message_continues_the_trace_and_a_stale_one_is_linked() {
    let within = RelationRule::fresh_within;
    for (rule, expected) in [
        (RelationRule::default(), CHILD),
        (within(Duration::from_secs(30)), CHILD),
        // Any age is too old.
        (within(Duration::ZERO), LINKED),
        (RelationRule::always(Relation::Link), LINKED),
        (RelationRule::always(Relation::Parent), CHILD),
    ] {
        let tree = tree(rule).await;
        assert!(tree.contains(expected), "{rule:?}:\n{tree}");
    }
}

#[tokio::test]
async fn a_message_that_comes_again_is_linked() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    js.publish("orders", "").await;
    let [first] = pull(&worker).await;
    first
        .process(async |order| order.ack_with(AckKind::Nak(None)).await)
        .await
        .unwrap();
    let [second] = pull(&worker).await;
    assert_eq!(second.relation(), Relation::Link);
    second
        .process(async |order| order.ack().await)
        .await
        .unwrap();
    let attempt = "messaging.nats.message.delivery_attempt";
    let tree = js.tree(&[attempt]);
    let expected = "\
CONSUMER process orders  {messaging.nats.message.delivery_attempt=2}
  ~ link: PRODUCER publish orders

PRODUCER publish orders
  CONSUMER process orders  {messaging.nats.message.delivery_attempt=1}
";
    assert!(tree.ends_with(expected), "{tree}");
}

#[tokio::test]
async fn where_a_span_is_current_it_is_the_parent() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    js.publish("orders", "").await;
    let [order] = pull(&worker).await;
    let process = async { order.process(async |_| {}).await };
    process.with_context(remote_context()).await;
    let process = js.spans().one("process orders");
    let publish = js.spans().one("publish orders");
    assert_eq!(process.parent_span_id, remote_span().span_id());
    assert_eq!(
        process.links.links[0].span_context.span_id(),
        publish.span_context.span_id()
    );
}

#[tokio::test]
async fn trust_says_how_far_senders_are_followed() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let Setup { nats, spans, .. } = &js.setup;
    js.publish("orders", "").await;
    let publish = spans.one("publish orders").span_context;
    for (trust, links) in [(Trust::linked(), 1), (Trust::ignored(), 0)] {
        let context = jetstream::new(&nats.clone().with_trust(trust));
        let stream = context.get_stream("ORDERS").await.unwrap();
        let worker = consumer(&stream, durable(&format!("worker-{links}"))).await;
        let [order] = pull(&worker).await;
        order.process(async |_| {}).await;
        let process = spans.all().pop().unwrap();
        assert_eq!(process.name, "process orders");
        assert_ne!(process.span_context.trace_id(), publish.trace_id());
        assert_eq!(process.links.links.len(), links);
        let fetch = spans
            .all()
            .into_iter()
            .rev()
            .find(|span| span.name == "fetch ORDERS");
        assert_eq!(fetch.unwrap().links.links.len(), links);
    }
}

#[tokio::test]
async fn the_queue_time_is_that_in_the_stream() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    js.publish("orders", "").await;
    let stored = stream.get_raw_message(1).await.unwrap().time;
    let worker = consumer(&stream, durable("worker")).await;
    let [order] = pull(&worker).await;
    order.process(async |_| {}).await;
    let process = js.spans().one("process orders");
    let Some(opentelemetry::Value::F64(queued)) = attribute(&process, "dynamo_trace.queue_time")
    else {
        panic!("{process:?}");
    };
    let stored = std::time::SystemTime::from(stored);
    let until_start = process.start_time.duration_since(stored).unwrap();
    // The span starts right after it is described.
    let difference = until_start.as_secs_f64() - queued;
    assert!(
        (-0.01..1.0).contains(&difference),
        "{queued} {until_start:?}"
    );
}
