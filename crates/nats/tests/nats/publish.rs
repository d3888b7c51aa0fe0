use crate::support::*;
use async_nats::client::PublishErrorKind;
use async_nats::{ConnectOptions, HeaderMap};
use dynamo_trace_core::{Format, Propagation};
use dynamo_trace_nats::Client;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::test]
async fn the_trace_goes_from_publisher_to_subscriber() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    nats.publish("events", "hello".into()).await.unwrap();
    let received = take(&mut events).await;
    let payload = received.process(async |message| message.payload).await;
    assert_eq!(payload, "hello");

    let (publish, process) = (spans.one("publish events"), spans.one("process events"));
    assert_eq!(publish.span_kind, SpanKind::Producer);
    assert_eq!(publish.status, Status::Unset);
    assert_eq!(
        attributes(&publish),
        [
            "messaging.destination.name=events",
            "messaging.message.body.size=5",
            "messaging.operation.name=publish",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(process.span_kind, SpanKind::Consumer);
    assert_eq!(process.status, Status::Unset);
    assert_eq!(
        process.span_context.trace_id(),
        publish.span_context.trace_id()
    );
    assert_eq!(process.parent_span_id, publish.span_context.span_id());
    assert!(process.parent_span_is_remote);
    assert_eq!(
        attributes(&process),
        [
            "messaging.destination.name=events",
            "messaging.message.body.size=5",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=nats",
        ]
    );
    assert_eq!(process.instrumentation_scope.name(), "dynamo-trace-nats");
}

#[tokio::test]
async fn a_publish_is_a_child_of_the_current_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let publish = nats.publish("events", "".into());
    publish.with_context(remote_context()).await.unwrap();
    let publish = spans.one("publish events");
    assert_eq!(publish.span_context.trace_id(), remote_span().trace_id());
    assert_eq!(publish.parent_span_id, remote_span().span_id());
}

#[tokio::test]
async fn every_way_to_publish_carries_context_headers_and_reply() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut plain = nats.clone().into_inner().subscribe("a").await.unwrap();
    let headers = || HeaderMap::from_iter([("own".parse().unwrap(), "1".parse().unwrap())]);
    let payload = || "p".into();
    nats.publish("a", payload()).await.unwrap();
    nats.publish_with_headers("a", headers(), payload())
        .await
        .unwrap();
    nats.publish_with_reply("a", "r", payload()).await.unwrap();
    nats.publish_with_reply_and_headers("a", "r", headers(), payload())
        .await
        .unwrap();

    let sent = spans.all();
    for (index, (own, reply)) in [
        (None, None),
        (Some("1"), None),
        (None, Some("r")),
        (Some("1"), Some("r")),
    ]
    .into_iter()
    .enumerate()
    {
        let message = take_plain(&mut plain).await;
        let span = &sent[index].span_context;
        let expected = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        assert_eq!(header(&message, "traceparent"), Some(expected), "{index}");
        assert_eq!(header(&message, "tracestate"), None);
        assert_eq!(header(&message, "own").as_deref(), own);
        assert_eq!(message.reply.as_deref(), reply);
        assert_eq!(message.payload, "p");
        assert_eq!(sent[index].span_kind, SpanKind::Producer);
    }
    assert_eq!(sent.len(), 4);
}

#[tokio::test]
async fn a_creation_context_of_the_author_is_kept_and_linked() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.append("TraceParent", TRACEPARENT);
    nats.publish_with_headers("events", headers.clone(), "".into())
        .await
        .unwrap();
    let received = take(&mut events).await;
    assert_eq!(received.headers.as_ref(), Some(&headers));
    received.process(async |_| {}).await;

    let (publish, process) = (spans.one("publish events"), spans.one("process events"));
    assert_eq!(publish.span_kind, SpanKind::Client);
    assert_eq!(publish.links.links[0].span_context, remote_span());
    assert_ne!(publish.span_context.trace_id(), remote_span().trace_id());
    assert_eq!(process.parent_span_id, remote_span().span_id());
}

#[tokio::test]
async fn a_message_id_is_recorded() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.append("Nats-Msg-Id", "7");
    nats.publish_with_headers("events", headers, "".into())
        .await
        .unwrap();
    take(&mut events).await.process(async |_| {}).await;
    for name in ["publish events", "process events"] {
        let id = attribute(&spans.one(name), "messaging.message.id");
        assert_eq!(id, Some("7".into()), "{name}");
    }
}

#[tokio::test]
async fn without_a_trace_the_message_is_as_without_this_crate() {
    let server = Server::start().await;
    let nats = Client::new(server.connect().await).with_tracer_provider(&NoopTracerProvider::new());
    let mut events = nats.subscribe("events").await.unwrap();
    nats.publish("events", "".into()).await.unwrap();
    assert_eq!(take(&mut events).await.headers, None);
}

#[tokio::test]
async fn without_an_sdk_what_came_in_goes_out() {
    let server = Server::start().await;
    let nats = Client::new(server.connect().await).with_tracer_provider(&NoopTracerProvider::new());
    let mut second = nats.subscribe("second").await.unwrap();
    let mut first = nats.subscribe("first").await.unwrap();
    let publish = nats.publish("first", "".into());
    publish.with_context(remote_context()).await.unwrap();
    let received = take(&mut first).await;
    let forward = received.process(async |_| nats.publish("second", "".into()).await);
    forward.await.unwrap();
    let message = take(&mut second).await.into_inner();
    assert_eq!(
        header(&message, "traceparent").as_deref(),
        Some(TRACEPARENT)
    );
}

#[tokio::test]
async fn what_cannot_be_published_fails_the_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let too_large = vec![0; nats.max_payload() + 1];
    nats.publish("large", too_large.into()).await.unwrap_err();
    nats.publish("no subject", "".into()).await.unwrap_err();
    let reply = nats.publish_with_reply("reply", "no subject", "".into());
    reply.await.unwrap_err();
    for (name, error) in [
        ("publish large", "max_payload_exceeded"),
        ("publish no subject", "invalid_subject"),
        ("publish reply", "invalid_subject"),
    ] {
        let span = spans.one(name);
        assert_eq!(attribute(&span, "error.type"), Some(error.into()), "{name}");
        assert_eq!(span.status, Status::error(""), "{name}");
    }
}

#[tokio::test]
async fn a_publish_that_is_given_up_ends_as_cancelled() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let slow = server
        .connect_with(ConnectOptions::new().client_capacity(1))
        .await;
    let nats = Client::new(slow).with_tracer_provider(&provider);
    // One thread: the connection's task does not run before this one waits.
    nats.publish("first", "".into()).await.unwrap();
    {
        let mut publish = pin!(nats.publish("second", "".into()));
        let polled = poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        assert_eq!(spans.names(), ["publish first"]);
    }
    let ending = attribute(&spans.one("publish second"), "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
    assert_eq!(spans.one("publish second").status, Status::Unset);
}

#[tokio::test]
async fn the_context_is_dropped_before_the_message_is() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    let context = remote_context().with_baggage([KeyValue::new("k", "v".repeat(100))]);
    let traceparent_only = "NATS/1.0\r\ntraceparent: \r\n\r\n".len() + TRACEPARENT.len();
    for (free, present) in [
        (0, [false, false]),
        (traceparent_only - 1, [false, false]),
        (traceparent_only, [true, false]),
        (traceparent_only + 100, [true, false]),
        (traceparent_only + 200, [true, true]),
    ] {
        let payload = vec![0; nats.max_payload() - free];
        let publish = nats.publish("events", payload.into());
        publish.with_context(context.clone()).await.unwrap();
        let message = take(&mut events).await;
        let found = ["traceparent", "baggage"].map(|name| header(&message, name).is_some());
        assert_eq!(found, present, "{free} bytes are free");
    }
    assert!(spans.all().iter().all(|span| span.status == Status::Unset));
}

#[tokio::test]
async fn the_order_of_the_formats_does_not_decide_what_is_dropped() {
    let Setup { nats, .. } = &setup().await;
    let reversed = Propagation::of([Format::Baggage, Format::TraceContext]);
    let nats = nats.clone().with_propagation(reversed);
    let mut events = nats.subscribe("events").await.unwrap();
    let context = remote_context().with_baggage([KeyValue::new("k", "v".repeat(100))]);
    let payload = vec![0; nats.max_payload() - 120];
    let publish = nats.publish("events", payload.into());
    publish.with_context(context).await.unwrap();
    let message = take(&mut events).await;
    let found = ["traceparent", "baggage"].map(|name| header(&message, name).is_some());
    assert_eq!(found, [true, false]);
}

#[tokio::test]
async fn headers_of_the_author_are_never_dropped() {
    let Setup { server, nats, .. } = &setup().await;
    let plain = server.connect().await;
    let untraced =
        Client::new(server.connect().await).with_tracer_provider(&NoopTracerProvider::new());
    let mut events = plain.subscribe("events").await.unwrap();
    settle(&plain).await;
    let mut own = HeaderMap::new();
    own.append("baggage", "tenant=a");
    own.append("tracestate", "mine=1");
    let own_len = "NATS/1.0\r\nbaggage: tenant=a\r\ntracestate: mine=1\r\n\r\n".len();
    let traceparent = "traceparent: \r\n".len() + TRACEPARENT.len();
    let publish = async |nats: &Client, free: usize| {
        let payload = vec![0; nats.max_payload() - free];
        nats.publish_with_headers("events", own.clone(), payload.into())
            .await
    };
    for nats in [nats, &untraced] {
        publish(nats, own_len).await.unwrap();
        assert_eq!(take_plain(&mut events).await.headers.as_ref(), Some(&own));
        for free in [own_len - 1, own_len - 20, 0] {
            let error = publish(nats, free).await.unwrap_err();
            assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
        }
    }
    publish(nats, own_len + traceparent).await.unwrap();
    let message = take_plain(&mut events).await;
    assert!(header(&message, "traceparent").is_some());
    assert_eq!(header(&message, "baggage").as_deref(), Some("tenant=a"));
}

#[tokio::test]
async fn an_inbox_stays_out_of_names() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let options = ConnectOptions::new().custom_inbox_prefix("BOX.mine");
    let nats = Client::new(server.connect_with(options).await).with_tracer_provider(&provider);
    for inbox in [nats.new_inbox(), "_INBOX.someone.else".to_owned()] {
        let mut replies = nats.subscribe(inbox.clone()).await.unwrap();
        nats.publish(inbox, "".into()).await.unwrap();
        take(&mut replies).await.process(async |_| {}).await;
    }
    let mut every = nats.subscribe("BOX.>").await.unwrap();
    nats.publish("BOX.other", "".into()).await.unwrap();
    take(&mut every).await.process(async |_| {}).await;
    nats.publish(nats.new_inbox(), "".into()).await.unwrap();
    take(&mut every).await.process(async |_| {}).await;

    let mut all = spans.all();
    let matched = all.split_off(4);
    for span in all {
        assert!(
            ["publish", "process"].contains(&&*span.name),
            "{}",
            span.name
        );
        let temporary = attribute(&span, "messaging.destination.temporary");
        assert_eq!(temporary, Some(true.into()));
        assert_eq!(attribute(&span, "messaging.destination.name"), None);
    }
    let names: Vec<_> = matched.iter().map(|span| &*span.name).collect();
    assert_eq!(
        names,
        [
            "publish BOX.other",
            "process BOX.>",
            "publish",
            "process BOX.>"
        ]
    );
    let name = |span| attribute(span, "messaging.destination.name");
    assert_eq!(name(&matched[1]), Some("BOX.other".into()));
    assert_eq!(name(&matched[3]), None);
    let temporary = attribute(&matched[3], "messaging.destination.temporary");
    assert_eq!(temporary, Some(true.into()));
}

#[tokio::test]
async fn a_server_without_headers_is_sent_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let info = "INFO {\"max_payload\":1048576,\"headers\":false}\r\n";
        stream.write_all(info.as_bytes()).await.unwrap();
        let mut lines = String::new();
        while !lines.contains("hello") {
            let read = stream.read_line(&mut lines).await.unwrap();
            if lines.ends_with("PING\r\n") {
                stream.write_all(b"PONG\r\n").await.unwrap();
            }
            assert_ne!(read, 0, "{lines}");
        }
        lines
    };
    let (provider, spans) = provider();
    let client = async {
        let nats = async_nats::connect(address).await.unwrap();
        let nats = Client::new(nats).with_tracer_provider(&provider);
        nats.publish("events", "hello".into()).await.unwrap();
        nats
    };
    let (lines, _open) = within(async { tokio::join!(server, client) }).await;
    assert!(lines.ends_with("\nPUB events 5\r\nhello\r\n"), "{lines}");
    assert_eq!(spans.names(), ["publish events"]);
}

#[tokio::test]
async fn no_context_leaks_to_the_caller() {
    let Setup { nats, .. } = &setup().await;
    let before = current_span();
    nats.publish("events", "".into()).await.unwrap();
    assert_eq!(current_span(), before);
    assert!(!Context::current().has_active_span());
}
