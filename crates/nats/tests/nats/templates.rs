use crate::support::*;
use dynamo_trace_nats::{Client, Trust};
use opentelemetry::trace::SpanKind;

async fn setup_with(templates: &[&str]) -> Setup {
    let setup = setup().await;
    let templates = templates.iter().copied();
    Setup {
        nats: setup.nats.clone().with_subject_templates(templates),
        ..setup
    }
}

#[tokio::test]
async fn a_template_names_what_is_published_and_processed() {
    let Setup { nats, spans, .. } = &setup_with(&["orders.*", "orders.>"]).await;
    let mut one = nats.subscribe("orders.17").await.unwrap();
    nats.publish("orders.17", "p".into()).await.unwrap();
    take(&mut one).await.process(async |_| {}).await;
    let (publish, process) = (spans.one("publish orders.*"), spans.one("process orders.*"));
    assert_eq!(publish.span_kind, SpanKind::Producer);
    assert_eq!(
        attributes(&publish),
        [
            "messaging.destination.name=orders.17",
            "messaging.destination.template=orders.*",
            "messaging.message.body.size=1",
            "messaging.operation.name=publish",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(process.span_kind, SpanKind::Consumer);
    assert_eq!(
        attributes(&process),
        [
            "messaging.destination.name=orders.17",
            "messaging.destination.template=orders.*",
            "messaging.message.body.size=1",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn a_template_names_requests() {
    let Setup { nats, spans, .. } = &setup_with(&["models.*.generate"]).await;
    let mut work = nats.subscribe("models.*.generate").await.unwrap();
    let (reply, ()) = tokio::join!(nats.request("models.7b.generate", "p".into()), async {
        let received = take(&mut work).await;
        let answer = received.process(async |request| nats.reply(&request, "".into()).await);
        answer.await.unwrap();
    });
    reply.unwrap();
    let request = spans.one("request models.*.generate");
    assert_eq!(
        attributes(&request),
        [
            "messaging.destination.name=models.7b.generate",
            "messaging.destination.template=models.*.generate",
            "messaging.message.body.size=1",
            "messaging.operation.name=request",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    let process = spans.one("process models.*.generate");
    assert_eq!(
        attributes(&process),
        [
            "messaging.destination.name=models.7b.generate",
            "messaging.destination.template=models.*.generate",
            "messaging.message.body.size=1",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn a_template_says_more_than_the_pattern_that_was_subscribed() {
    let Setup { nats, spans, .. } = &setup_with(&["orders.*.paid"]).await;
    let mut every = nats.queue_subscribe(">", "audit".to_owned()).await.unwrap();
    for subject in ["orders.17.paid", "other.17"] {
        nats.publish(subject, "".into()).await.unwrap();
        take(&mut every).await.process(async |_| {}).await;
    }
    assert_eq!(
        attributes(&spans.one("process orders.*.paid")),
        [
            "messaging.consumer.group.name=audit",
            "messaging.destination.name=orders.17.paid",
            "messaging.destination.template=orders.*.paid",
            "messaging.message.body.size=0",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
    // Not that of the sender: the pattern is all that is known here.
    assert_eq!(
        attributes(&spans.one("process >")),
        [
            "messaging.consumer.group.name=audit",
            "messaging.destination.name=other.17",
            "messaging.destination.template=>",
            "messaging.message.body.size=0",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
    spans.one("publish other.17");
}

#[tokio::test]
async fn an_inbox_has_no_template() {
    let Setup { nats, spans, .. } = &setup_with(&[">", "_INBOX.>"]).await;
    let inbox = nats.new_inbox();
    let mut replies = nats.subscribe(inbox.clone()).await.unwrap();
    nats.publish(inbox, "".into()).await.unwrap();
    take(&mut replies).await.process(async |_| {}).await;
    assert_eq!(
        attributes(&spans.one("publish")),
        [
            "messaging.destination.temporary=true",
            "messaging.message.body.size=0",
            "messaging.operation.name=publish",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(
        attributes(&spans.one("process")),
        [
            "messaging.destination.temporary=true",
            "messaging.message.body.size=0",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn a_message_that_came_by_other_means_is_named_by_its_template() {
    let Setup { nats, spans, .. } = &setup_with(&["orders.*"]).await;
    let mut every = nats.clone().into_inner().subscribe(">").await.unwrap();
    nats.publish("orders.17", "".into()).await.unwrap();
    let received = nats.receive(take_plain(&mut every).await);
    received.process(async |_| {}).await;
    assert_eq!(
        attributes(&spans.one("process orders.*")),
        [
            "messaging.destination.name=orders.17",
            "messaging.destination.template=orders.*",
            "messaging.message.body.size=0",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn templates_are_for_what_follows() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut before = nats.subscribe("orders.1").await.unwrap();
    let with = nats.clone().with_subject_templates(["orders.*"]);
    // Other settings keep them, and others replace them.
    let kept: Client = with.clone().with_trust(Trust::trusted());
    let replaced = with.clone().with_subject_templates(["*.1".to_owned()]);
    for nats in [nats, &with, &kept, &replaced] {
        nats.publish("orders.1", "".into()).await.unwrap();
    }
    assert_eq!(
        spans.names(),
        [
            "publish orders.1",
            "publish orders.*",
            "publish orders.*",
            "publish *.1"
        ]
    );
    take(&mut before).await.process(async |_| {}).await;
    spans.one("process orders.1");
}
