//! What goes wrong on the server: the caller gets async-nats' own error, and the span says which.

use super::{Js, consumer, durable, start};
use crate::support::{DEADLINE, attribute, settle, within};
use async_nats::jetstream::ContextBuilder;
use async_nats::jetstream::consumer::pull::MessagesErrorKind;
use async_nats::jetstream::consumer::push;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use dynamo_trace_nats::jetstream::{Context, PushConsumer};
use opentelemetry::trace::Status;
use std::time::Duration;

async fn publish(
    js: &Context,
    subject: &'static str,
    with: PublishMessage,
) -> Result<PublishAck, PublishError> {
    within(js.send_publish(subject, with)).await?.await
}

/// Publishes, and asserts what the caller and the span say of it.
async fn refused(
    js: &Js,
    subject: &'static str,
    with: PublishMessage,
    kind: PublishErrorKind,
    error_type: &str,
) {
    let error = publish(&js.js, subject, with).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    failed(js, &format!("publish {subject}"), error_type);
}

/// The last span of this name failed with this type.
fn failed(js: &Js, name: &str, error_type: &str) {
    let all = js.spans().all();
    let span = all.iter().rev().find(|span| span.name == name).unwrap();
    assert_eq!(
        attribute(span, "error.type"),
        Some(error_type.to_owned().into()),
        "{name}"
    );
    assert_eq!(
        attribute(span, "dynamo_trace.ending"),
        Some("failed".into()),
        "{name}"
    );
    assert_eq!(span.status, Status::error(""), "{name}");
    assert_eq!(
        attribute(span, "messaging.nats.message.sequence"),
        None,
        "{name}"
    );
}

#[tokio::test]
async fn what_the_stream_refuses() {
    use PublishErrorKind::*;
    let js = start().await;
    let limited = Config {
        max_messages: 2,
        discard: DiscardPolicy::New,
        ..Default::default()
    };
    js.stream_with("ORDERS", &["orders"], limited).await;
    let build = PublishMessage::build;
    refused(&js, "nobody", build(), StreamNotFound, "stream_not_found").await;
    let wrong = build().expected_last_sequence(7);
    refused(
        &js,
        "orders",
        wrong,
        WrongLastSequence,
        "wrong_last_sequence",
    )
    .await;
    let wrong = build().expected_last_message_id("7");
    refused(
        &js,
        "orders",
        wrong,
        WrongLastMessageId,
        "wrong_last_message_id",
    )
    .await;
    let other = build().expected_stream("OTHER");
    refused(&js, "orders", other, Other, "10060").await;
    js.publish("orders", "").await;
    js.publish("orders", "").await;
    // Full.
    refused(&js, "orders", build(), Other, "10077").await;
    let large = vec![0; js.setup.nats.max_payload() + 1];
    let large = build().payload(large.into());
    refused(
        &js,
        "orders",
        large,
        MaxPayloadExceeded,
        "max_payload_exceeded",
    )
    .await;
    refused(&js, "no subject", build(), Other, "invalid_subject").await;
    refused(&js, "", build(), Other, "invalid_subject").await;
    js.js.delete_stream("ORDERS").await.unwrap();
    refused(&js, "orders", build(), StreamNotFound, "stream_not_found").await;
}

#[tokio::test]
async fn an_acknowledgement_that_does_not_come() {
    let mut js = start().await;
    js.js.set_timeout(Duration::from_millis(100));
    let _taken = (*js.setup.nats).subscribe("taken").await.unwrap();
    settle(&js.setup.nats).await;
    let build = PublishMessage::build();
    refused(&js, "taken", build, PublishErrorKind::TimedOut, "timeout").await;
}

#[tokio::test]
async fn an_acknowledgement_that_says_nothing() {
    let js = start().await;
    let mut taken = (*js.setup.nats).subscribe("taken").await.unwrap();
    settle(&js.setup.nats).await;
    for answer in [
        "",
        "no json",
        "{\"error\":{\"code\":1,\"err_code\":18446744073709551615}}",
        "{\"error\":{\"code\":1}}",
    ] {
        let answering = async {
            let message = crate::support::take_plain(&mut taken).await;
            (*js.setup.nats)
                .publish(message.reply.unwrap(), answer.into())
                .await
                .unwrap();
        };
        let build = PublishMessage::build();
        let refused = refused(&js, "taken", build, PublishErrorKind::Other, "_OTHER");
        tokio::join!(refused, answering);
    }
}

#[tokio::test]
async fn too_many_acknowledgements_that_are_awaited() {
    let mut js = start().await;
    let _taken = (*js.setup.nats).subscribe("taken").await.unwrap();
    settle(&js.setup.nats).await;
    let one = ContextBuilder::new()
        .max_ack_inflight(1)
        .backpressure_on_inflight(false);
    js.js = Context::new(&js.setup.nats, one.build((*js.setup.nats).clone()));
    let _first = js.js.publish("taken", "".into()).await.unwrap();
    let build = PublishMessage::build();
    refused(
        &js,
        "taken",
        build,
        PublishErrorKind::MaxAckPending,
        "max_ack_pending",
    )
    .await;
}

#[tokio::test]
async fn a_broker_that_restarts_before_the_acknowledgement() {
    let mut js = start().await;
    js.js.set_timeout(Duration::from_millis(500));
    let stream = js.stream("ORDERS", &["orders"]).await;
    js.setup.server.pause();
    let ack = within(js.js.publish("orders", "lost".into()))
        .await
        .unwrap();
    let error = within(ack.into_future()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::TimedOut);
    failed(&js, "publish orders", "timeout");
    js.setup.server.restart().await;
    let again = async {
        loop {
            let again = PublishMessage::build()
                .payload("again".into())
                .message_id("again");
            match publish(&js.js, "orders", again).await {
                Ok(ack) => break ack,
                Err(error) => assert!(
                    [PublishErrorKind::TimedOut, PublishErrorKind::StreamNotFound]
                        .contains(&error.kind()),
                    "{error}"
                ),
            }
        }
    };
    let ack = within(again).await;
    let last = js.spans().all().pop().unwrap();
    assert_eq!(last.status, Status::Unset);
    let sequence = i64::try_from(ack.sequence).unwrap();
    assert_eq!(
        attribute(&last, "messaging.nats.message.sequence"),
        Some(sequence.into())
    );
    let stored = stream.get_raw_message(ack.sequence).await.unwrap();
    assert_eq!(stored.payload, "again");
}

#[tokio::test]
async fn a_connection_that_is_closed_before_the_acknowledgement() {
    let js = start().await;
    let _taken = (*js.setup.nats).subscribe("taken").await.unwrap();
    settle(&js.setup.nats).await;
    let other = dynamo_trace_nats::Client::new(js.setup.server.connect().await);
    let other = other.with_tracer_provider(&js.setup.provider);
    let context = dynamo_trace_nats::jetstream::new(&other);
    let ack = context.publish("taken", "".into()).await.unwrap();
    other.drain().await.unwrap();
    let error = within(ack.into_future()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::BrokenPipe);
    failed(&js, "publish taken", "connection_closed");
}

#[tokio::test]
async fn a_consumer_or_stream_that_is_deleted_under_a_pull_request() {
    for of_stream in [false, true] {
        let js = start().await;
        let stream = js.stream("ORDERS", &["orders"]).await;
        js.publish("orders", "").await;
        let worker = consumer(&stream, durable("worker")).await;
        let batch = worker.batch().max_messages(2).expires(DEADLINE);
        let mut batch = batch.messages().await.unwrap();
        within(batch.next()).await.unwrap().unwrap();
        if of_stream {
            js.js.delete_stream("ORDERS").await.unwrap();
        } else {
            stream.delete_consumer("worker").await.unwrap();
        }
        let error = within(batch.next()).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("Consumer Deleted"), "{error}");
        failed(&js, "fetch ORDERS", "consumer_deleted");
        let fetch = js.spans().one("fetch ORDERS");
        let count = attribute(&fetch, "messaging.batch.message_count");
        assert_eq!(count, Some(1.into()));
        assert!(within(batch.next()).await.is_none());
    }
}

#[tokio::test]
async fn a_pull_request_that_nobody_answers() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    let nowhere = async_nats::jetstream::with_prefix((*js.setup.nats).clone(), "NOWHERE");
    let info = worker.cached_info().clone();
    let lost = consumer::Consumer::new(durable("worker"), info, nowhere);
    let fetch = js.js.consumer(lost).fetch().messages().await;
    let error = within(fetch.unwrap().next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    failed(&js, "fetch ORDERS", "no_responders");
}

#[tokio::test]
async fn a_consumer_that_is_deleted_under_an_endless_stream() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    js.publish("orders", "").await;
    let worker = consumer(&stream, durable("worker")).await;
    let mut messages = worker.messages().await.unwrap();
    let order = within(messages.next()).await.unwrap().unwrap();
    order.process(async |_| {}).await;
    let deleted = async { stream.delete_consumer("worker").await.unwrap() };
    let (error, _) = tokio::join!(within(messages.next()), deleted);
    assert_eq!(
        error.unwrap().unwrap_err().kind(),
        MessagesErrorKind::ConsumerDeleted
    );
    assert!(within(messages.next()).await.is_none());
    assert_eq!(js.spans().names(), ["publish orders", "process orders"]);
}

#[tokio::test]
async fn heartbeats_that_do_not_come() {
    let mut js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    let heartbeat = Duration::from_millis(200);
    let pulled = worker
        .stream()
        .heartbeat(heartbeat)
        .expires(Duration::from_secs(2));
    let mut pulled = pulled.messages().await.unwrap();
    let config = push::Config {
        deliver_subject: js.setup.nats.new_inbox(),
        idle_heartbeat: heartbeat,
        ..Default::default()
    };
    let pushed: PushConsumer = stream.create_consumer(config).await.unwrap();
    let mut pushed = pushed.messages().await.unwrap();
    js.publish("orders", "").await;
    within(pulled.next()).await.unwrap().unwrap();
    within(pushed.next()).await.unwrap().unwrap();
    js.setup.server.kill();
    let error = within(pulled.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), MessagesErrorKind::MissingHeartbeat);
    let error = within(pushed.next()).await.unwrap().unwrap_err();
    assert_eq!(
        error.kind(),
        consumer::push::MessagesErrorKind::MissingHeartbeat
    );
    assert_eq!(js.spans().names(), ["publish orders"]);
}

#[tokio::test]
async fn a_pull_request_that_asks_for_too_much() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let limited = consumer::pull::Config {
        max_batch: 2,
        ..durable("worker")
    };
    let worker = consumer(&stream, limited).await;
    let mut batch = worker.fetch().max_messages(3).messages().await.unwrap();
    within(batch.next()).await.unwrap().unwrap_err();
    failed(&js, "fetch ORDERS", "request_limit_exceeded");
}

#[tokio::test]
async fn a_pull_request_that_cannot_be_sent() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    js.setup.nats.drain().await.unwrap();
    let failing = async {
        loop {
            match worker.fetch().messages().await {
                Err(error) => break error,
                Ok(batch) => drop(batch),
            }
            tokio::task::yield_now().await;
        }
    };
    within(failing).await;
    let all = js.spans().all();
    let last = attribute(all.last().unwrap(), "error.type")
        .unwrap()
        .to_string();
    assert!(
        ["subscribe_failed", "pull_failed"].contains(&&*last),
        "{last}"
    );
}
