use crate::support::*;
use async_nats::client::traits::{Publisher, Requester, Subscriber, TimeoutProvider};
use async_nats::client::{PublishErrorKind, Request};
use async_nats::message::OutboundMessage;
use async_nats::{ConnectOptions, HeaderMap, Message};
use dynamo_trace_nats::Client;
use futures_util::{Sink, SinkExt};
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

fn message(subject: &'static str) -> OutboundMessage {
    let mut headers = HeaderMap::new();
    headers.append("own", "1");
    OutboundMessage {
        subject: subject.into(),
        reply: Some("answers".into()),
        payload: "p".into(),
        headers: Some(headers),
    }
}

/// What code that is written for async-nats' client does with another one.
async fn publish_all<P: Publisher>(nats: &P) {
    let reply = nats.publish_with_reply("a", "answers", "p".into());
    reply.await.unwrap();
    nats.publish_message(message("a")).await.unwrap();
}

#[tokio::test]
async fn generic_code_publishes_with_a_context() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut plain = nats.clone().into_inner().subscribe("a").await.unwrap();
    publish_all(nats).with_context(remote_context()).await;
    let sent = spans.all();
    assert_eq!(sent.len(), 2);
    for (span, own) in sent.iter().zip([None, Some("1")]) {
        let message = take_plain(&mut plain).await;
        let ids = &span.span_context;
        let expected = format!("00-{}-{}-01", ids.trace_id(), ids.span_id());
        assert_eq!(header(&message, "traceparent"), Some(expected));
        assert_eq!(header(&message, "own").as_deref(), own);
        assert_eq!(message.reply.as_deref(), Some("answers"));
        assert_eq!(message.payload, "p");
        assert_eq!(span.name, "publish a");
        assert_eq!(span.span_kind, SpanKind::Producer);
        assert_eq!(span.parent_span_id, remote_span().span_id());
    }
}

#[tokio::test]
async fn generic_code_requests_with_a_context() {
    async fn ask<R: Requester>(nats: &R) -> Message {
        let request = Request::new().payload("p".into());
        nats.send_request("work", request).await.unwrap()
    }
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    let (reply, ()) = tokio::join!(ask(nats), async {
        let received = take(&mut work).await;
        let answer = received.process(async |request| nats.reply(&request, "r".into()).await);
        answer.await.unwrap();
    });
    assert_eq!(reply.payload, "r");
    let (client, server) = (spans.one("request work"), spans.one("process work"));
    assert_eq!(server.parent_span_id, client.span_context.span_id());
}

#[tokio::test]
async fn generic_code_subscribes_and_the_client_receives() {
    async fn subscribe<S: Subscriber>(nats: &S) -> async_nats::Subscriber {
        nats.subscribe("orders.*").await.unwrap()
    }
    let Setup { nats, spans, .. } = &setup().await;
    let mut orders = subscribe(nats).await;
    nats.publish("orders.1", "p".into()).await.unwrap();
    let received = nats.receive(take_plain(&mut orders).await);
    assert_eq!(spans.names(), ["publish orders.1"]);
    let payload = received.process(async |message| message.payload).await;
    assert_eq!(payload, "p");
    let (publish, process) = (spans.one("publish orders.1"), spans.one("process orders.1"));
    assert_eq!(process.parent_span_id, publish.span_context.span_id());
    assert_eq!(process.span_kind, SpanKind::Consumer);
    assert_eq!(
        attributes(&process),
        [
            "messaging.destination.name=orders.1",
            "messaging.message.body.size=1",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn a_message_that_is_received_keeps_to_the_settings_of_the_client() {
    let Setup { nats, spans, .. } = &setup().await;
    let linked = nats.clone().with_trust(dynamo_trace_nats::Trust::linked());
    let mut work = nats.clone().into_inner().subscribe("work").await.unwrap();
    let asks = nats.publish_with_reply("work", "answers", "".into());
    asks.await.unwrap();
    let received = linked.receive(take_plain(&mut work).await);
    received.process(async |_| {}).await;
    let (publish, process) = (spans.one("publish work"), spans.one("process work"));
    assert_eq!(process.span_kind, SpanKind::Server);
    assert_ne!(
        process.span_context.trace_id(),
        publish.span_context.trace_id()
    );
    let link = &process.links.links[0].span_context;
    assert_eq!(link.span_id(), publish.span_context.span_id());
}

#[tokio::test]
async fn the_timeout_is_that_of_the_client() {
    fn timeout<T: TimeoutProvider>(nats: &T) -> Option<Duration> {
        nats.timeout()
    }
    let server = Server::start().await;
    for expected in [None, Some(Duration::from_secs(7))] {
        let options = ConnectOptions::new().request_timeout(expected);
        let nats = Client::new(server.connect_with(options).await);
        assert_eq!(timeout(&nats), expected);
    }
}

#[tokio::test]
async fn what_goes_into_the_sink_has_a_context() {
    async fn send_all<S>(mut sink: S)
    where
        S: Sink<OutboundMessage, Error: std::fmt::Debug> + Unpin,
    {
        sink.feed(message("a")).await.unwrap();
        let plain = OutboundMessage {
            headers: None,
            ..message("a")
        };
        sink.send(plain).await.unwrap();
        sink.close().await.unwrap();
    }
    let Setup { nats, spans, .. } = &setup().await;
    let mut plain = nats.clone().into_inner().subscribe("a").await.unwrap();
    send_all(nats.clone()).with_context(remote_context()).await;
    let sent = spans.all();
    assert_eq!(sent.len(), 2);
    for (span, own) in sent.iter().zip([Some("1"), None]) {
        let message = take_plain(&mut plain).await;
        let ids = &span.span_context;
        let expected = format!("00-{}-{}-01", ids.trace_id(), ids.span_id());
        assert_eq!(header(&message, "traceparent"), Some(expected));
        assert_eq!(header(&message, "own").as_deref(), own);
        assert_eq!(span.parent_span_id, remote_span().span_id());
        assert_eq!(span.status, Status::Unset);
    }
    // Others of it are as they were.
    nats.publish("a", "late".into()).await.unwrap();
    assert_eq!(take_plain(&mut plain).await.payload, "late");
}

#[tokio::test]
async fn a_wait_for_the_sink_has_no_span() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let slow = server
        .connect_with(ConnectOptions::new().client_capacity(1))
        .await;
    let mut nats = Client::new(slow).with_tracer_provider(&provider);
    // One thread: the connection's task does not run before this one waits.
    let cx = &mut Context::from_waker(Waker::noop());
    let mut sink = Pin::new(&mut nats);
    assert!(sink.as_mut().poll_ready(cx).is_ready());
    sink.as_mut().start_send(message("first")).unwrap();
    assert!(sink.as_mut().poll_ready(cx).is_pending());
    assert_eq!(spans.names(), ["publish first"]);
    within(nats.send(message("second"))).await.unwrap();
    assert_eq!(spans.names(), ["publish first", "publish second"]);
}

#[tokio::test]
async fn what_the_sink_or_a_whole_message_refuses_fails_the_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let too_large = |subject| OutboundMessage {
        payload: vec![0; nats.max_payload() + 1].into(),
        ..message(subject)
    };
    let fed = nats.clone().feed(too_large("sink")).await.unwrap_err();
    let published = nats.publish_message(too_large("whole")).await.unwrap_err();
    for (error, name) in [(fed, "publish sink"), (published, "publish whole")] {
        assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
        let span = spans.one(name);
        let error_type = attribute(&span, "error.type");
        assert_eq!(error_type, Some("max_payload_exceeded".into()));
    }
    let error = nats
        .publish_message(message("no subject"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::InvalidSubject);
    let span = spans.one("publish no subject");
    assert_eq!(
        attribute(&span, "error.type"),
        Some("invalid_subject".into())
    );
}
