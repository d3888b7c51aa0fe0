use crate::support::*;
use dynamo_trace_nats::{Client, Trust};
use opentelemetry::trace::{SpanId, TraceContextExt};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

#[tokio::test]
async fn what_is_not_sampled_makes_nothing() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let counts = broker_spans(&a).await;
    let unsampled = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .build();
    let quiet = Client::new(a.clone().into_inner()).with_tracer_provider(&unsampled);
    let mut orders = a.subscribe("orders.*").await.unwrap();
    quiet.publish("orders.1", "".into()).await.unwrap();
    let (message, context) = take(&mut orders).await.into_context();
    assert!(message.headers.is_some());
    assert!(context.has_active_span() && !context.span().span_context().is_sampled());
    // Comes after whatever the first one made.
    a.publish("orders.2", "".into()).await.unwrap();
    until(async || counts.recorded() == 1).await;
    assert_eq!((counts.ignored(), counts.unreadable()), (0, 0));
    spans.one("relay orders.2");
}

#[tokio::test]
async fn a_sampler_here_may_drop_them() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let never = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .build();
    let counts = broker_spans(&a.clone().with_tracer_provider(&never)).await;
    a.publish("orders.1", "".into()).await.unwrap();
    until(async || counts.ignored() == 1).await;
    assert_eq!(counts.recorded(), 0);
}

#[tokio::test]
async fn trust_is_that_of_the_client() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let counts = broker_spans(&a.clone().with_trust(Trust::linked())).await;
    a.publish("orders.1", "".into()).await.unwrap();
    until(async || counts.recorded() == 1).await;
    let (publish, relay) = (spans.one("publish orders.1"), spans.one("relay orders.1"));
    assert_eq!(relay.parent_span_id, SpanId::INVALID);
    assert_ne!(
        relay.span_context.trace_id(),
        publish.span_context.trace_id()
    );
    let linked = &relay.links.links[0].span_context;
    assert_eq!(linked.span_id(), publish.span_context.span_id());
}

#[tokio::test]
async fn where_nobody_is_trusted_there_are_none() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let counts = broker_spans(&a.clone().with_trust(Trust::ignored())).await;
    a.publish("orders.1", "".into()).await.unwrap();
    until(async || counts.ignored() == 1).await;
    assert_eq!(spans.tree(), "PRODUCER publish orders.1\n");
}
