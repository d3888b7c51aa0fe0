use super::{until, with_events};
use crate::support::*;
use async_nats::client::{PublishErrorKind, RequestErrorKind};
use async_nats::message::OutboundMessage;
use async_nats::{ConnectOptions, Event, HeaderMap};
use dynamo_trace_core::{Carrier, Field, Propagation};
use dynamo_trace_nats::{Client, Headers, HeadersMut};
use futures_util::SinkExt;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, Status};

const MAX: usize = 1024;
const EMPTY: usize = "NATS/1.0\r\n\r\n".len();

/// A caller with a `traceparent`, a `tracestate` and a `baggage`; and how many bytes the first,
/// the first two, and all of them take in a message.
fn caller() -> (Context, [usize; 3]) {
    let fields = [
        ("traceparent", TRACEPARENT.to_owned()),
        ("tracestate", format!("vendor={}", "s".repeat(100))),
        ("baggage", format!("tenant={}", "b".repeat(200))),
    ];
    let mut headers = HeaderMap::new();
    let mut length = EMPTY;
    let lengths = fields.each_ref().map(|(name, value)| {
        headers.append(*name, value.as_str());
        length += name.len() + ": \r\n".len() + value.len();
        length
    });
    let caller = Propagation::w3c().extract(&Context::new(), &Headers(&headers));
    (caller, lengths)
}

fn has(headers: &Option<HeaderMap>) -> [bool; 3] {
    Field::W3C.map(|field| {
        let headers = headers.as_ref();
        headers.is_some_and(|headers| Headers(headers).values_of(field).next().is_some())
    })
}

async fn small() -> Setup {
    let server = Server::start_with(&format!("max_payload: {MAX}")).await;
    setup_with_server(server).await
}

/// How much is free beside a payload, and which fields a message has then.
fn cases(lengths: [usize; 3]) -> [(usize, [bool; 3]); 7] {
    let [first, second, all] = lengths;
    [
        (0, [false; 3]),
        (first - 1, [false; 3]),
        (first, [true, false, false]),
        (second - 1, [true, false, false]),
        (second, [true, true, false]),
        (all - 1, [true, true, false]),
        (all, [true; 3]),
    ]
}

#[tokio::test]
async fn of_a_message_the_context_is_dropped_first_and_of_that_the_baggage() {
    let Setup { nats, spans, .. } = &small().await;
    assert_eq!(nats.max_payload(), MAX);
    let (caller, lengths) = caller();
    let mut events = nats.subscribe("events").await.unwrap();
    for (free, expected) in cases(lengths) {
        let payload = vec![b'p'; MAX - free];
        let publish = nats.publish("events", payload.clone().into());
        publish.with_context(caller.clone()).await.unwrap();
        let whole = OutboundMessage {
            subject: "events".into(),
            reply: None,
            payload: payload.clone().into(),
            headers: None,
        };
        let mut sink = nats.clone();
        let feed = sink.send(whole);
        feed.with_context(caller.clone()).await.unwrap();
        for _ in 0..2 {
            let message = take(&mut events).await.into_inner();
            assert_eq!(has(&message.headers), expected, "{free} bytes are free");
            assert_eq!(message.payload, payload);
        }
    }
    assert!(spans.all().iter().all(|span| span.status == Status::Unset));
}

#[tokio::test]
async fn requests_and_replies_go_before_their_context() {
    let Setup { nats, .. } = &small().await;
    let (caller, lengths) = caller();
    let mut work = nats.subscribe("work").await.unwrap();
    for (free, expected) in cases(lengths) {
        let payload = vec![b'p'; MAX - free];
        let request = nats.request("work", payload.clone().into());
        let answer = async {
            let request = take(&mut work).await.into_inner();
            assert_eq!(has(&request.headers), expected, "{free} bytes are free");
            nats.reply(&request, request.payload.clone()).await.unwrap();
        };
        let both = async { tokio::join!(request, answer) };
        let (reply, ()) = both.with_context(caller.clone()).await;
        let reply = reply.unwrap();
        assert_eq!(has(&reply.headers), expected, "{free} bytes are free");
        assert_eq!(reply.payload, payload);

        let request = async_nats::Request::new().payload(payload.clone().into());
        let stream = nats.request_stream("work", request);
        let _stream = stream.with_context(caller.clone()).await.unwrap();
        let request = take(&mut work).await.into_inner();
        assert_eq!(has(&request.headers), expected, "{free} bytes are free");
    }
}

#[tokio::test]
async fn what_is_too_large_by_itself_is_refused_as_ever() {
    let Setup {
        server,
        nats,
        spans,
        ..
    } = &small().await;
    let plain = server.connect().await;
    let (caller, _) = caller();
    let payload = bytes::Bytes::from(vec![0; MAX + 1]);
    let expected = plain.publish("events", payload.clone()).await.unwrap_err();
    let publish = nats.publish("events", payload.clone());
    let error = publish.with_context(caller.clone()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
    assert_eq!(error.to_string(), expected.to_string());
    let request = nats.request("work", payload);
    let error = request.with_context(caller).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::MaxPayloadExceeded);
    for name in ["publish events", "request work"] {
        let error = attribute(&spans.one(name), "error.type");
        assert_eq!(error, Some("max_payload_exceeded".into()));
    }
}

#[tokio::test]
async fn a_broker_with_another_limit_is_believed_after_the_next_connection() {
    let (small, large) = (small().await, Server::start().await);
    let (options, mut events) = with_events(ConnectOptions::new());
    let nats = small.server.connect_with(options).await;
    let nats = Client::new(nats).with_tracer_provider(&small.provider);
    until(&mut events, |event| matches!(event, Event::Connected)).await;
    assert_eq!(nats.max_payload(), MAX);
    nats.set_server_pool(large.url().as_str()).await.unwrap();
    nats.force_reconnect().await.unwrap();
    until(&mut events, |event| matches!(event, Event::Connected)).await;
    let mut events = nats.subscribe("events").await.unwrap();
    settle(&nats).await;
    let (caller, _) = caller();
    let publish = nats.publish("events", vec![0; MAX].into());
    publish.with_context(caller).await.unwrap();
    assert_eq!(has(&take(&mut events).await.headers), [true; 3]);
}

#[test]
fn the_lengths_are_those_of_the_wire() {
    let (caller, [.., all]) = caller();
    let mut headers = HeaderMap::new();
    Propagation::w3c().inject(&caller, &mut HeadersMut(&mut headers));
    assert_eq!(has(&Some(headers.clone())), [true; 3]);
    let lines = headers.iter().flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values
            .iter()
            .map(move |value| name.len() + 4 + value.as_str().len())
    });
    assert_eq!(EMPTY + lines.sum::<usize>(), all);
}
