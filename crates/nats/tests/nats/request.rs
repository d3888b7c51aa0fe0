use crate::support::*;
use async_nats::client::{PublishErrorKind, Request, RequestErrorKind};
use async_nats::{HeaderMap, Message};
use dynamo_trace_nats::{Client, Received};
use opentelemetry::trace::{FutureExt, SpanContext, SpanKind, Status};
use std::time::Duration;

/// Answers each request with its own payload; gives what it received.
async fn answer_one(
    nats: &Client,
    work: &mut dynamo_trace_nats::Subscriber,
) -> (SpanContext, Message) {
    let received = take(work).await;
    received
        .process(async |request| {
            let reply = nats.reply(&request, request.payload.clone());
            reply.await.unwrap();
            (current_span(), request)
        })
        .await
}

#[tokio::test]
async fn the_trace_goes_from_requester_to_responder() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    let (reply, (server, request)) = tokio::join!(
        nats.request("work", "hello".into()),
        answer_one(nats, &mut work)
    );
    let reply = reply.unwrap();
    assert_eq!(reply.payload, "hello");
    // The reply carries the responder's context, and no span of its own.
    let expected = format!("00-{}-{}-01", server.trace_id(), server.span_id());
    assert_eq!(header(&reply, "traceparent"), Some(expected));
    assert!(request.reply.unwrap().starts_with("_INBOX."));
    assert_eq!(spans.all().len(), 2);

    let (client, process) = (spans.one("request work"), spans.one("process work"));
    assert_eq!(client.span_kind, SpanKind::Client);
    assert_eq!(client.status, Status::Unset);
    assert_eq!(
        attributes(&client),
        [
            "messaging.destination.name=work",
            "messaging.message.body.size=5",
            "messaging.operation.name=request",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
    assert_eq!(process.span_kind, SpanKind::Server);
    assert_eq!(process.span_context, server);
    assert_eq!(process.parent_span_id, client.span_context.span_id());
    assert_eq!(
        process.span_context.trace_id(),
        client.span_context.trace_id()
    );
    assert!(client.end_time >= process.start_time, "it covers the reply");
}

#[tokio::test]
async fn every_way_to_request_carries_context_and_headers() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    let headers = || HeaderMap::from_iter([("own".parse().unwrap(), "1".parse().unwrap())]);
    let with_headers = nats.request_with_headers("work", headers(), "p".into());
    let own_inbox = Request::new()
        .headers(headers())
        .payload("p".into())
        .inbox("_INBOX.mine".into());
    for request in [
        tokio::join!(with_headers, answer_one(nats, &mut work)),
        tokio::join!(
            nats.send_request("work", own_inbox),
            answer_one(nats, &mut work)
        ),
    ] {
        let (reply, (server, message)) = request;
        assert_eq!(reply.unwrap().payload, "p");
        assert_eq!(header(&message, "own").as_deref(), Some("1"));
        let all = spans.all();
        let by_id = |id| all.iter().find(|span| span.span_context.span_id() == id);
        let client = by_id(by_id(server.span_id()).unwrap().parent_span_id).unwrap();
        assert_eq!(client.name, "request work");
        assert_eq!(client.span_kind, SpanKind::Client);
    }
    assert_eq!(spans.all().len(), 4);
}

#[tokio::test]
async fn a_creation_context_of_the_author_is_kept_and_linked() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.append("traceparent", TRACEPARENT);
    let request = nats.request_with_headers("work", headers.clone(), "".into());
    let (_, (_, message)) = tokio::join!(request, answer_one(nats, &mut work));
    assert_eq!(message.headers, Some(headers));
    let client = spans.one("request work");
    assert_eq!(client.span_kind, SpanKind::Client);
    assert_eq!(client.links.links[0].span_context, remote_span());
    assert_eq!(
        spans.one("process work").parent_span_id,
        remote_span().span_id()
    );
}

#[tokio::test]
async fn what_has_no_reply_fails_the_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let _silent = nats.subscribe("silent").await.unwrap();
    nats.flush().await.unwrap();
    let brief = || Request::new().timeout(Some(Duration::from_millis(1)));
    let large = vec![0; nats.max_payload() + 1];
    let own_inbox = Request::new().inbox("_INBOX.mine".to_owned());
    let kind = async |name: &'static str, request| {
        let reply = nats.send_request(name, request).await;
        reply.unwrap_err().kind()
    };
    assert_eq!(kind("silent", brief()).await, RequestErrorKind::TimedOut);
    assert_eq!(
        kind("none", Request::new()).await,
        RequestErrorKind::NoResponders
    );
    assert_eq!(
        kind("nobody", own_inbox).await,
        RequestErrorKind::NoResponders
    );
    assert_eq!(
        kind("a b", Request::new()).await,
        RequestErrorKind::InvalidSubject
    );
    assert_eq!(
        kind("large", Request::new().payload(large.into())).await,
        RequestErrorKind::MaxPayloadExceeded
    );
    for (name, error) in [
        ("request silent", "timeout"),
        ("request none", "no_responders"),
        ("request nobody", "no_responders"),
        ("request a b", "invalid_subject"),
        ("request large", "max_payload_exceeded"),
    ] {
        let span = spans.one(name);
        assert_eq!(attribute(&span, "error.type"), Some(error.into()), "{name}");
        assert_eq!(
            attribute(&span, "dynamo_trace.ending"),
            Some("failed".into())
        );
        assert_eq!(span.status, Status::error(""), "{name}");
    }
}

#[tokio::test]
async fn a_reply_that_is_an_error_fails_the_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    for (code, error) in [
        ("503", "503"),
        ("no\tnumber", "_OTHER"),
        ("123456", "_OTHER"),
    ] {
        let mut headers = HeaderMap::new();
        headers.append("Nats-Service-Error-Code", code);
        let answer = async |received: Received<Message>| {
            let request = received.into_inner();
            nats.reply_with_headers(&request, headers.clone(), "".into())
                .await
                .unwrap();
        };
        let (reply, ()) = tokio::join!(nats.request("work", "".into()), async {
            answer(take(&mut work).await).await
        });
        assert!(header(&reply.unwrap(), "Nats-Service-Error-Code").is_some());
        let span = spans.all().pop().unwrap();
        assert_eq!(attribute(&span, "error.type"), Some(error.into()), "{code}");
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_ends_as_cancelled() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    tokio::select! {
        reply = nats.request("work", "".into()) => panic!("{reply:?}"),
        request = work.next() => assert!(request.is_some()),
    }
    let span = spans.one("request work");
    assert_eq!(
        attribute(&span, "dynamo_trace.ending"),
        Some("cancelled".into())
    );
    assert_eq!(attribute(&span, "error.type"), None);
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn a_message_that_asks_for_no_reply_cannot_be_answered() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut events = nats.subscribe("events").await.unwrap();
    nats.publish("events", "".into()).await.unwrap();
    let message = take(&mut events).await.into_inner();
    let error = nats.reply(&message, "".into()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::InvalidSubject);
    assert_eq!(spans.names(), ["publish events"]);
}

#[tokio::test]
async fn a_reply_outside_a_span_carries_none() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("work").await.unwrap();
    let (reply, ()) = tokio::join!(nats.request("work", "".into()), async {
        let request = take(&mut work).await.into_inner();
        nats.reply(&request, "r".into()).await.unwrap();
    });
    assert_eq!(reply.unwrap().headers, None);
    assert_eq!(spans.names(), ["request work"]);
}

#[tokio::test]
async fn a_request_is_a_child_of_the_current_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let request = nats.request("none", "".into());
    request.with_context(remote_context()).await.unwrap_err();
    let span = spans.one("request none");
    assert_eq!(span.parent_span_id, remote_span().span_id());
}
