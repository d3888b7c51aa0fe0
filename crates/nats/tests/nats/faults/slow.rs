use super::{until, with_events};
use crate::support::*;
use async_nats::client::{Request, RequestErrorKind};
use async_nats::{ConnectOptions, Event};
use bytes::Bytes;
use dynamo_trace_nats::Client;
use dynamo_trace_testkit::span_log::{SpanLog, ending};
use std::time::Duration;
use tokio::runtime;

/// How many messages a subscription holds here.
const CAPACITY: usize = 3;

#[tokio::test]
async fn a_slow_subscription_loses_messages_and_no_span() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let (options, mut events) = with_events(ConnectOptions::new().subscription_capacity(CAPACITY));
    let nats = Client::new(server.connect_with(options).await).with_tracer_provider(&provider);
    let mut slow = nats.subscribe("events").await.unwrap();
    for number in 0..10 {
        let payload = number.to_string();
        nats.publish("events", payload.into()).await.unwrap();
    }
    until(&mut events, |event| matches!(event, Event::SlowConsumer(_))).await;
    settle(&nats).await;
    // What was lost is async-nats' loss: the newest, and nobody's span.
    for number in 0..CAPACITY {
        let received = take(&mut slow).await;
        assert_eq!(received.payload, number.to_string());
        received.process(async |_| {}).await;
    }
    nats.publish("events", "again".into()).await.unwrap();
    assert_eq!(take(&mut slow).await.payload, "again");
    let names = spans.names();
    let count = |name| names.iter().filter(|own| *own == name).count();
    assert_eq!(count("publish events"), 11);
    assert_eq!(count("process events"), CAPACITY);
    assert_eq!(names.len(), 11 + CAPACITY, "{names:?}");
}

#[tokio::test]
async fn a_slow_stream_of_replies_holds_no_more_than_a_subscription() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let (options, mut events) = with_events(ConnectOptions::new().subscription_capacity(CAPACITY));
    let nats = Client::new(server.connect_with(options).await).with_tracer_provider(&provider);
    let mut work = nats.subscribe("work").await.unwrap();
    let brief = Request::new().timeout(Some(Duration::from_millis(1)));
    let replies = nats.request_stream("work", brief).await.unwrap();
    let mut replies = replies.max_messages(10);
    let request = take(&mut work).await.into_inner();
    for _ in 0..10 {
        nats.reply(&request, "r".into()).await.unwrap();
    }
    until(&mut events, |event| matches!(event, Event::SlowConsumer(_))).await;
    settle(&nats).await;
    for _ in 0..CAPACITY {
        within(replies.next()).await.unwrap().unwrap();
    }
    let error = within(replies.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::TimedOut);
    let span = spans.one("request work");
    let chunks = attribute(&span, "dynamo_trace.stream.chunks");
    assert_eq!(chunks, Some(3.into()));
    assert_eq!(attribute(&span, "error.type"), Some("timeout".into()));
}

#[tokio::test]
async fn what_is_processed_before_an_agreed_end_has_a_span_each() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut three = nats.subscribe("events").await.unwrap();
    three.unsubscribe_after(3).await.unwrap();
    for _ in 0..5 {
        nats.publish("events", "".into()).await.unwrap();
    }
    while let Some(received) = within(three.next()).await {
        received.process(async |_| {}).await;
    }
    let names = spans.names();
    assert_eq!(names[..5], ["publish events"; 5]);
    assert_eq!(names[5..], ["process events"; 3]);
}

/// The broker buffers so many bytes for a client that does not read, and then closes its
/// connection.
const MAX_PENDING: usize = 1 << 20;

#[test]
fn a_client_that_the_broker_cuts_off_recovers_and_no_span_leaks() {
    let others = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    // Its connection reads only while this runtime is driven.
    let slow = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let log = SpanLog::default();
    let traced = |nats| Client::new(nats).with_tracer_provider(&log.provider());
    let config = format!("max_pending: {MAX_PENDING}\nwrite_deadline: \"1s\"");
    let server = others.block_on(Server::start_with(&config));
    let (options, mut told) = with_events(ConnectOptions::new());
    let (receiver, mut events) = slow.block_on(async {
        let receiver = traced(server.connect_with(options).await);
        let events = receiver.subscribe("events").await.unwrap();
        until(&mut told, |event| matches!(event, Event::Connected)).await;
        settle(&receiver).await;
        (receiver, events)
    });

    // More than the broker and the sockets hold.
    let payload = Bytes::from(vec![0; MAX_PENDING / 2]);
    let sender = others.block_on(async {
        let sender = traced(server.connect().await);
        for _ in 0..128 {
            sender.publish("events", payload.clone()).await.unwrap();
        }
        settle(&sender).await;
        sender
    });

    let processed = slow.block_on(async {
        until(&mut told, |event| matches!(event, Event::Disconnected)).await;
        until(&mut told, |event| matches!(event, Event::Connected)).await;
        settle(&receiver).await;
        let last = others.spawn(async move {
            sender.publish("events", "last".into()).await.unwrap();
            sender.flush().await.unwrap();
        });
        within(last).await.unwrap();
        let mut processed = 0;
        loop {
            let received = take(&mut events).await;
            processed += 1;
            let payload = received.process(async |message| message.payload).await;
            if payload == "last" {
                return processed;
            }
        }
    });
    // What the sockets held before the broker cut it off, if that much, and the last one.
    assert!((1..=128).contains(&processed), "{processed}");
    let spans = others.block_on(log.all_ended(129 + processed));
    let count = |name| spans.iter().filter(|span| span.name == name).count();
    assert_eq!(count("publish events"), 129);
    assert_eq!(count("process events"), processed);
    assert!(spans.iter().all(|span| ending(span) == "complete"));
}
