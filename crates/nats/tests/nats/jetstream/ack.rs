//! When the span of a publish ends.

use super::{Js, start};
use crate::support::{attribute, within};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// A subject whose messages somebody receives and nobody stores: no acknowledgement ever comes.
async fn unanswered(js: &Js) -> async_nats::Subscriber {
    let nats = &js.setup.nats;
    let subscriber = (**nats).subscribe("unanswered").await.unwrap();
    crate::support::settle(nats).await;
    subscriber
}

fn publish_of(js: &Js, subject: &str) -> SpanData {
    js.spans().one(&format!("publish {subject}"))
}

#[tokio::test]
async fn the_span_lasts_until_the_acknowledgement_is_awaited() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let ack = js.js.publish("orders", "".into()).await.unwrap();
    assert!(js.spans().all().is_empty());
    // Elsewhere, and later.
    let task = tokio::spawn(ack.into_future());
    let ack = within(task).await.unwrap().unwrap();
    assert_eq!(ack.sequence, 1);
    let span = publish_of(&js, "orders");
    assert_eq!(
        attribute(&span, "messaging.nats.stream"),
        Some("ORDERS".into())
    );
    assert_eq!(attribute(&span, "dynamo_trace.ack_awaited"), None);
}

#[tokio::test]
async fn an_acknowledgement_that_nobody_awaits_ends_the_span_at_once() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    drop(js.js.publish("orders", "".into()).await.unwrap());
    let span = publish_of(&js, "orders");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attribute(&span, "dynamo_trace.ending"), None);
    assert_eq!(
        attribute(&span, "dynamo_trace.ack_awaited"),
        Some(false.into())
    );
    assert_eq!(attribute(&span, "messaging.nats.stream"), None);
    // It is stored all the same.
    js.js.wait_for_acks().await;
    assert_eq!(stream.get_info().await.unwrap().state.messages, 1);
}

#[tokio::test]
async fn an_acknowledgement_that_is_given_up_cancels_the_span() {
    let js = start().await;
    let _subscriber = unanswered(&js).await;
    let ack = js.js.publish("unanswered", "".into()).await.unwrap();
    {
        let mut ack = pin!(ack.into_future());
        let polled = poll_fn(|cx| Poll::Ready(ack.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        assert!(js.spans().all().is_empty());
    }
    let span = publish_of(&js, "unanswered");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        attribute(&span, "dynamo_trace.ending"),
        Some("cancelled".into())
    );
    assert_eq!(attribute(&span, "dynamo_trace.ack_awaited"), None);
}

#[tokio::test]
async fn a_publish_that_is_given_up_cancels_the_span() {
    let js = start().await;
    let slow = async_nats::ConnectOptions::new().client_capacity(1);
    let slow = js.setup.server.connect_with(slow).await;
    let slow = dynamo_trace_nats::Client::new(slow).with_tracer_provider(&js.setup.provider);
    let slow = dynamo_trace_nats::jetstream::new(&slow);
    // One thread: the connection's task does not run before this one waits.
    let first = slow.publish("first", "".into()).await.unwrap();
    {
        let mut publish = pin!(slow.publish("second", "".into()));
        let polled = poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    let ending = attribute(&publish_of(&js, "second"), "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
    drop(first);
}

#[tokio::test]
async fn a_panic_before_the_acknowledgement_fails_the_span() {
    let js = start().await;
    js.stream("ORDERS", &["orders"]).await;
    let context = js.js.clone();
    let task = tokio::spawn(async move {
        let _ack = context.publish("orders", "".into()).await.unwrap();
        panic!("between publish and acknowledgement");
    });
    within(task).await.unwrap_err();
    let span = publish_of(&js, "orders");
    assert_eq!(attribute(&span, "error.type"), Some("panic".into()));
    assert_eq!(
        attribute(&span, "dynamo_trace.ack_awaited"),
        Some(false.into())
    );
}
