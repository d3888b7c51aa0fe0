use crate::support::*;
use dynamo_trace_nats::{Client, Relation, RelationRule, Trust};
use opentelemetry::trace::{FutureExt, SpanId, Status};

#[tokio::test]
async fn a_pattern_names_the_span_and_a_subject_its_attribute() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut orders = nats
        .queue_subscribe("orders.*", "workers".to_owned())
        .await
        .unwrap();
    nats.publish("orders.17", "".into()).await.unwrap();
    take(&mut orders).await.process(async |_| {}).await;
    assert_eq!(
        attributes(&spans.one("process orders.*")),
        [
            "messaging.consumer.group.name=workers",
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
async fn one_of_a_group_receives() {
    let Setup { nats, .. } = &setup().await;
    let group = || nats.queue_subscribe("work", "workers".to_owned());
    let (mut a, mut b) = (group().await.unwrap(), group().await.unwrap());
    for _ in 0..10 {
        nats.publish("work", "".into()).await.unwrap();
    }
    settle(nats).await;
    a.drain().await.unwrap();
    b.drain().await.unwrap();
    let mut count = 0;
    while within(a.next()).await.is_some() {
        count += 1;
    }
    while within(b.next()).await.is_some() {
        count += 1;
    }
    assert_eq!(count, 10);
}

#[tokio::test]
async fn what_is_not_processed_has_no_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    for _ in 0..3 {
        nats.publish("events", "".into()).await.unwrap();
    }
    drop(take(&mut events).await);
    let (_, context) = take(&mut events).await.into_context();
    drop(events);
    assert_eq!(spans.names(), ["publish events"; 3]);
    let sender = &spans.all()[1].span_context;
    let read = async { current_span() }.with_context(context).await;
    assert_eq!(read.span_id(), sender.span_id());
}

#[tokio::test]
async fn work_that_fails_or_is_dropped_ends_so() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    for _ in 0..2 {
        nats.publish("events", "".into()).await.unwrap();
    }
    let failing = take(&mut events).await;
    let error: Result<(), _> = failing.try_process(async |_| Err(std::fmt::Error)).await;
    error.unwrap_err();
    drop(take(&mut events).await.process(async |_| {}));
    let spans = spans.all();
    assert_eq!(spans[2].status, Status::error(""));
    let error = attribute(&spans[2], "error.type");
    assert_eq!(error, Some("core::fmt::Error".into()));
    let ending = attribute(&spans[3], "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
}

#[tokio::test]
async fn the_stream_ends_after_unsubscribing() {
    let Setup { nats, .. } = &setup().await;
    let mut at_once = nats.subscribe("events").await.unwrap();
    let mut after_two = nats.subscribe("events").await.unwrap();
    let mut drained = nats.subscribe("events").await.unwrap();
    after_two.unsubscribe_after(2).await.unwrap();
    for _ in 0..3 {
        nats.publish("events", "".into()).await.unwrap();
    }
    settle(nats).await;
    take(&mut at_once).await;
    at_once.unsubscribe().await.unwrap();
    drained.drain().await.unwrap();
    nats.publish("events", "late".into()).await.unwrap();
    let mut counts = [0; 2];
    for (count, subscriber) in counts.iter_mut().zip([&mut after_two, &mut drained]) {
        while within(subscriber.next()).await.is_some() {
            *count += 1;
        }
    }
    assert_eq!(counts, [2, 3]);
    while let Some(received) = within(at_once.next()).await {
        assert_ne!(received.payload, "late");
    }
}

#[tokio::test]
async fn trust_is_that_of_the_subscription() {
    let Setup { nats, spans, .. } = &setup().await;
    let subscribe = async |trust| {
        let client: Client = nats.clone().with_trust(trust);
        client.subscribe("public").await.unwrap()
    };
    let mut linked = subscribe(Trust::linked()).await;
    let mut ignored = subscribe(Trust::ignored()).await;
    let publish = nats.publish("public", "".into());
    publish.with_context(remote_context()).await.unwrap();
    for subscriber in [&mut linked, &mut ignored] {
        take(subscriber).await.process(async |_| {}).await;
    }
    let spans = spans.all();
    let sender = &spans[0].span_context;
    for span in &spans[1..] {
        assert_ne!(span.span_context.trace_id(), sender.trace_id());
        assert_eq!(span.parent_span_id, SpanId::INVALID);
    }
    assert_eq!(
        spans[1].links.links[0].span_context.span_id(),
        sender.span_id()
    );
    assert!(spans[2].links.is_empty());
}

#[tokio::test]
async fn a_relation_can_be_forced() {
    let Setup { nats, spans, .. } = &setup().await;
    let linking = nats
        .clone()
        .with_relation(RelationRule::always(Relation::Link));
    let mut events = linking.subscribe("events").await.unwrap();
    nats.publish("events", "".into()).await.unwrap();
    take(&mut events).await.process(async |_| {}).await;
    let (publish, process) = (spans.one("publish events"), spans.one("process events"));
    assert_eq!(process.parent_span_id, SpanId::INVALID);
    let linked = &process.links.links[0].span_context;
    assert_eq!(linked.span_id(), publish.span_context.span_id());
}

#[tokio::test]
async fn under_a_current_span_the_message_is_linked() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    nats.publish("events", "".into()).await.unwrap();
    let work = async {
        take(&mut events).await.process(async |_| {}).await;
    };
    work.with_context(remote_context()).await;
    let (publish, process) = (spans.one("publish events"), spans.one("process events"));
    assert_eq!(process.parent_span_id, remote_span().span_id());
    let linked = &process.links.links[0].span_context;
    assert_eq!(linked.span_id(), publish.span_context.span_id());
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_async_nats_own_error() {
    let Setup { nats, .. } = &setup().await;
    use async_nats::client::SubscribeErrorKind::{InvalidQueueName, InvalidSubject};
    let error = nats.subscribe("a..b").await.unwrap_err();
    assert_eq!(error.kind(), InvalidSubject);
    let error = nats
        .queue_subscribe("a", "a b".to_owned())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), InvalidQueueName);
}

#[tokio::test]
async fn many_at_once_do_not_mix() {
    let Setup {
        nats,
        spans,
        provider,
        ..
    } = &setup().await;
    use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
    use opentelemetry::{Context, KeyValue};
    let mut events = nats.subscribe("events").await.unwrap();
    let tracer = provider.tracer("test");
    for number in 0..200_i64 {
        let root = Context::new().with_span(tracer.start_with_context("root", &Context::new()));
        let span = root.span().span_context().clone();
        let nats = nats.clone();
        tokio::spawn(
            async move {
                let payload = format!("{number} {}", span.trace_id());
                nats.publish("events", payload.into()).await.unwrap();
            }
            .with_context(root),
        );
    }
    let mut work = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let received = take(&mut events).await;
        work.spawn(received.process(async |message| {
            tokio::task::yield_now().await;
            let text = std::str::from_utf8(&message.payload).unwrap();
            let (_, trace_id) = text.split_once(' ').unwrap();
            assert_eq!(current_span().trace_id().to_string(), trace_id);
            Context::map_current(|cx| cx.span().set_attribute(KeyValue::new("seen", true)));
        }));
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    let spans = spans.all();
    let seen = spans
        .iter()
        .filter(|span| attribute(span, "seen").is_some());
    assert_eq!(seen.count(), 200);
}
