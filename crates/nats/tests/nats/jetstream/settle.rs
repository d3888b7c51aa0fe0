//! How settlements are recorded.

use super::{Js, attributes, consumer, durable, pull, start};
use crate::support::{attribute, within};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::Config;
use dynamo_trace_nats::Received;
use dynamo_trace_nats::jetstream::{Message, Settlement};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use std::time::Duration;

/// A message of a context that records settlements so.
async fn one(js: &Js, settlement: Settlement) -> Received<Message> {
    let context = js.js.clone().with_settlement(settlement);
    let name = format!("{settlement:?}");
    let stream = context.get_or_create_stream("orders").await.unwrap();
    let worker = consumer(&stream, durable(&name)).await;
    js.publish("orders", "").await;
    let [order] = pull(&worker).await;
    order
}

/// The events of a span as text.
fn events(span: &SpanData) -> Vec<String> {
    let event = |event: &opentelemetry::trace::Event| {
        let attributes = event.attributes.iter();
        let text: Vec<_> = attributes
            .map(|own| format!("{}={}", own.key, own.value))
            .collect();
        format!("{} {}", event.name, text.join(" "))
    };
    span.events.iter().map(event).collect()
}

#[tokio::test]
async fn plain_settlements_are_events_of_the_work() {
    let js = start().await;
    let order = one(&js, Settlement::default()).await;
    let work = order.process(async |order| {
        order.ack_with(AckKind::Progress).await?;
        order
            .ack_with(AckKind::Nak(Some(Duration::from_millis(1500))))
            .await?;
        order.ack_with(AckKind::Nak(None)).await?;
        order.ack_with(AckKind::Term).await?;
        order.ack_with(AckKind::Next).await?;
        order.ack().await
    });
    work.await.unwrap();
    let process = js.spans().one("process orders");
    assert_eq!(
        events(&process),
        [
            "in-progress messaging.nats.message.sequence=1",
            "nak messaging.nats.message.sequence=1 dynamo_trace.redelivery_delay=1.5",
            "nak messaging.nats.message.sequence=1",
            "term messaging.nats.message.sequence=1",
            "next messaging.nats.message.sequence=1",
            "ack messaging.nats.message.sequence=1",
        ]
    );
    assert_eq!(
        js.spans().names(),
        ["publish orders", "fetch orders", "process orders"]
    );
}

#[tokio::test]
async fn a_double_acknowledgement_is_a_span() {
    let js = start().await;
    let order = one(&js, Settlement::Events).await;
    order
        .process(async |order| order.double_ack().await)
        .await
        .unwrap();
    assert_eq!(
        js.tree(&["dynamo_trace.ack_awaited"]),
        "\
CLIENT fetch orders
  ~ link: PRODUCER publish orders

PRODUCER publish orders
  CONSUMER process orders
    CLIENT ack orders  {dynamo_trace.ack_awaited=true}
      ~ link: PRODUCER publish orders
"
    );
    assert!(events(&js.spans().one("process orders")).is_empty());
    assert_eq!(
        attributes(&js.spans().one("ack orders")),
        [
            "dynamo_trace.ack_awaited=true",
            "messaging.destination.name=orders",
            "messaging.destination.subscription.name=Events",
            "messaging.nats.message.sequence=1",
            "messaging.nats.stream=orders",
            "messaging.operation.name=ack",
            "messaging.operation.type=settle",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn each_settlement_can_be_a_span() {
    let js = start().await;
    let order = one(&js, Settlement::Spans).await;
    let delay = Some(Duration::from_secs(2));
    let work = order.process(async |order| {
        order.ack_with(AckKind::Progress).await?;
        order.ack_with(AckKind::Nak(delay)).await
    });
    work.await.unwrap();
    assert_eq!(
        js.tree(&["messaging.operation.type", "dynamo_trace.redelivery_delay"])
            .lines()
            .skip_while(|line| !line.starts_with("PRODUCER"))
            .collect::<Vec<_>>(),
        [
            "PRODUCER publish orders  {messaging.operation.type=send}",
            "  CONSUMER process orders  {messaging.operation.type=process}",
            "    CLIENT in-progress orders  {messaging.operation.type=settle}",
            "      ~ link: PRODUCER publish orders",
            "    CLIENT nak orders  {messaging.operation.type=settle, dynamo_trace.redelivery_delay=2}",
            "      ~ link: PRODUCER publish orders",
        ]
    );
    let nak = js.spans().one("nak orders");
    assert_eq!(nak.span_kind, SpanKind::Client);
    assert_eq!(attribute(&nak, "dynamo_trace.ack_awaited"), None);
    assert!(events(&js.spans().one("process orders")).is_empty());
}

#[tokio::test]
async fn settlements_can_go_unrecorded() {
    let js = start().await;
    let order = one(&js, Settlement::Off).await;
    let work = order.process(async |order| {
        order.ack_with(AckKind::Progress).await?;
        order.double_ack().await
    });
    work.await.unwrap();
    assert_eq!(
        js.spans().names(),
        ["publish orders", "fetch orders", "process orders"]
    );
    assert!(events(&js.spans().one("process orders")).is_empty());
}

#[tokio::test]
async fn a_message_is_settled_after_it_was_split() {
    for settlement in [Settlement::Events, Settlement::Spans, Settlement::Off] {
        let js = start().await;
        let order = one(&js, settlement).await;
        let work = order.process(async |order| {
            let (message, acker) = order.split();
            assert_eq!(message.subject.as_str(), "orders");
            assert_eq!(message.reply, None);
            acker.ack_with(AckKind::Progress).await?;
            acker.double_ack().await?;
            acker.ack().await
        });
        work.await.unwrap();
        let process = js.spans().one("process orders");
        let all = js.spans().all();
        let spans = all
            .iter()
            .filter(|span| span.parent_span_id == process.span_context.span_id());
        let publish = js.spans().one("publish orders").span_context;
        let spans: Vec<_> = spans
            .inspect(|span| {
                let link = &span.links.links[0].span_context;
                assert_eq!(link.span_id(), publish.span_id());
            })
            .map(|span| &*span.name)
            .collect();
        let sequence = "messaging.nats.message.sequence=1";
        let (expected, recorded): (&[_], _) = match settlement {
            Settlement::Events => (
                &["ack orders"],
                vec![format!("in-progress {sequence}"), format!("ack {sequence}")],
            ),
            Settlement::Spans => (&["in-progress orders", "ack orders", "ack orders"], vec![]),
            _ => (&[], vec![]),
        };
        assert_eq!(spans, expected, "{settlement:?}");
        assert_eq!(events(&process), recorded, "{settlement:?}");
    }
}

#[tokio::test]
async fn a_settlement_outside_of_any_work_leaves_no_record() {
    let js = start().await;
    let order = one(&js, Settlement::Events).await;
    order.ack().await.unwrap();
    assert_eq!(js.spans().names(), ["publish orders", "fetch orders"]);
    assert!(
        js.spans()
            .all()
            .iter()
            .all(|span| span.events.events.is_empty())
    );
}

#[tokio::test]
async fn only_what_is_called_is_recorded() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let unacknowledged = Config {
        ack_policy: AckPolicy::None,
        ..durable("worker")
    };
    let worker = consumer(&stream, unacknowledged).await;
    js.publish("orders", "").await;
    let [order] = pull(&worker).await;
    order.process(async |_| {}).await;
    assert!(events(&js.spans().one("process orders")).is_empty());
    assert_eq!(js.spans().all().len(), 3);
}

#[tokio::test]
async fn a_double_acknowledgement_that_is_not_confirmed_fails() {
    let mut js = start().await;
    js.js.set_timeout(Duration::from_millis(200));
    let order = one(&js, Settlement::Events).await;
    js.setup.server.kill();
    let error = order
        .process(async |order| within(order.double_ack()).await)
        .await
        .unwrap_err();
    let error = error.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let ack = js.spans().one("ack orders");
    assert_eq!(attribute(&ack, "error.type"), Some("timeout".into()));
    assert_eq!(ack.status, Status::error(""));
    assert_eq!(js.spans().one("process orders").status, Status::Unset);
}

#[tokio::test]
async fn a_settlement_that_cannot_be_sent_says_so() {
    for settlement in [Settlement::Events, Settlement::Spans] {
        let js = start().await;
        let order = one(&js, settlement).await;
        // After it has drained, a client sends nothing.
        js.setup.nats.drain().await.unwrap();
        let settled = order.process(async |order| {
            loop {
                // The last that the connection takes before it is gone.
                if let Err(error) = order.ack().await {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        });
        within(settled).await;
        let (name, found) = match settlement {
            Settlement::Events => {
                let process = js.spans().one("process orders");
                let last = events(&process).pop().unwrap();
                (last.split(' ').next().unwrap().to_owned(), last)
            }
            _ => {
                let all = js.spans().all();
                let failed = all
                    .iter()
                    .find(|span| span.name == "ack orders" && span.status != Status::Unset);
                ("ack".to_owned(), attributes(failed.unwrap()).join(" "))
            }
        };
        assert_eq!(name, "ack");
        assert!(found.contains("error.type=connection_closed"), "{found}");
    }
}
