use super::{attributes, start};
use crate::support::{attribute, within};
use async_nats::jetstream::consumer::push::{Config, OrderedConfig};
use dynamo_trace_nats::jetstream::{OrderedPushConsumer, PushConsumer};

#[tokio::test]
async fn pushed_messages_continue_the_trace() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let config = Config {
        deliver_subject: js.setup.nats.new_inbox(),
        deliver_group: Some("workers".to_owned()),
        durable_name: Some("worker".to_owned()),
        ..Default::default()
    };
    let worker: PushConsumer = stream.create_consumer(config).await.unwrap();
    let mut messages = worker.messages().await.unwrap();
    js.publish("orders", "hello").await;
    let received = within(messages.next()).await.unwrap().unwrap();
    received.process(async |_| {}).await;
    assert_eq!(
        js.tree(&[]),
        "\
PRODUCER publish orders
  CONSUMER process orders
"
    );
    assert_eq!(
        attributes(&js.spans().one("process orders")),
        [
            "dynamo_trace.queue_time=..",
            "messaging.consumer.group.name=workers",
            "messaging.destination.name=orders",
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
async fn ordered_messages_come_in_order() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    for number in 0..5 {
        js.publish("orders", &number.to_string()).await;
    }
    let config = OrderedConfig {
        deliver_subject: js.setup.nats.new_inbox(),
        ..Default::default()
    };
    let ordered: OrderedPushConsumer = stream.create_consumer(config).await.unwrap();
    let mut messages = ordered.messages().await.unwrap();
    for number in 0..5 {
        let received = within(messages.next()).await.unwrap().unwrap();
        let payload = received
            .process(async |message| message.payload.clone())
            .await;
        assert_eq!(payload, number.to_string());
    }
    let spans = js.spans().all();
    assert_eq!(spans.len(), 10);
    let sequence = attribute(spans.last().unwrap(), "messaging.nats.message.sequence");
    assert_eq!(sequence, Some(5.into()));
}
