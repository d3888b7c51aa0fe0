use crate::support::*;
use async_nats::client::RequestErrorKind;
use dynamo_trace_nats::Trust;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};

#[tokio::test]
async fn it_ends_with_the_subscription() {
    let Some(server) = server("").await else {
        return;
    };
    let spans = Spans::new();
    let nats = spans
        .connect_with(&server, async_nats::ConnectOptions::new())
        .await;
    let task = tokio::spawn(nats.broker_spans(DESTINATION).await.unwrap());
    nats.drain().await.unwrap();
    within(task).await.unwrap();
}

#[tokio::test]
async fn dropping_it_unsubscribes() {
    let Some(server) = server("").await else {
        return;
    };
    let spans = Spans::new();
    let nats = spans
        .connect_with(&server, async_nats::ConnectOptions::new())
        .await;
    let other = spans
        .connect_with(&server, async_nats::ConnectOptions::new())
        .await;
    let task = nats.broker_spans(DESTINATION).await.unwrap();
    settle(&nats).await;
    let ask = async || {
        let plain: &async_nats::Client = &other;
        let request =
            async_nats::Request::new().timeout(Some(std::time::Duration::from_millis(100)));
        let asked = plain.send_request(DESTINATION, request).await;
        asked.unwrap_err().kind()
    };
    assert_eq!(ask().await, RequestErrorKind::TimedOut);
    drop(task);
    until(async || ask().await == RequestErrorKind::NoResponders).await;
}

#[tokio::test]
async fn several_share_the_events() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let other = spans.connect(&server, "a").await;
    let all = [
        broker_spans(&a).await,
        broker_spans(&a).await,
        broker_spans(&other).await,
    ];
    for _ in 0..50 {
        a.publish("orders.1", "".into()).await.unwrap();
    }
    let recorded = || all.iter().map(|counts| counts.recorded()).sum::<u64>();
    until(async || recorded() >= 50).await;
    settle(&a).await;
    settle(&other).await;
    assert_eq!(recorded(), 50);
    assert_eq!(spans.named("relay orders.1").len(), 50);
}

#[tokio::test]
async fn what_is_current_where_it_runs_has_no_part_in_it() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let linked = a.clone().with_trust(Trust::linked());
    let task = linked.broker_spans(DESTINATION).await.unwrap();
    let counts = task.counts();
    let span = spans.provider.tracer("test").start("ambient");
    let task = task.with_context(Context::new().with_span(span));
    let publish = async {
        a.publish("orders.1", "".into()).await.unwrap();
        until(async || counts.recorded() == 1).await;
    };
    tokio::select! {
        () = task => panic!("it ended"),
        () = publish => {}
    }
    assert_eq!(
        spans.tree(),
        "\
INTERNAL ambient
PRODUCER publish orders.1
INTERNAL relay orders.1
"
    );
}
