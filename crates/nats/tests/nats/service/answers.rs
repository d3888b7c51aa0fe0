//! What a request and its response carry.

use super::*;
use crate::hostile::garbage;
use async_nats::HeaderMap;
use dynamo_trace_nats::Trust;
use dynamo_trace_nats::service::error::Error;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, SpanContext, SpanKind, Status};

#[tokio::test]
async fn the_trace_goes_from_requester_through_service() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let received = take(&mut endpoint).await;
    assert_eq!(received.message.payload, "input");
    let work = received.process(async |request| {
        nats.publish("audit", "a".into()).await.unwrap();
        request.respond(Ok("42".into())).await.unwrap();
        current_span()
    });
    let server = work.await;
    let reply = reply(asked).await;
    assert_eq!(reply.payload, "42");
    let expected = format!("00-{}-{}-01", server.trace_id(), server.span_id());
    assert_eq!(header(&reply, "traceparent"), Some(expected));
    let spans = spans.all();
    assert!(spans.iter().all(|span| span.status == Status::Unset));
    assert_eq!(
        tree(spans),
        [
            "CLIENT request quotes {messaging.destination.name=quotes \
             messaging.message.body.size=5 messaging.operation.name=request \
             messaging.operation.type=send messaging.system=nats}",
            "  SERVER process quotes {messaging.consumer.group.name=q \
             messaging.destination.name=quotes messaging.message.body.size=5 \
             messaging.nats.service.endpoint=quotes messaging.nats.service.name=prices \
             messaging.nats.service.version=1.2.3 messaging.operation.name=process \
             messaging.operation.type=process messaging.system=nats}",
            "    PRODUCER publish audit {messaging.destination.name=audit \
             messaging.message.body.size=1 messaging.operation.name=publish \
             messaging.operation.type=send messaging.system=nats}",
        ]
    );
}

#[tokio::test]
async fn who_only_responds_has_no_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    take(&mut endpoint)
        .await
        .respond(Ok("42".into()))
        .await
        .unwrap();
    assert_eq!(reply(asked).await.headers, None);
    let request = spans.one("request quotes");
    assert_eq!(request.status, Status::Unset);
    // A response in somebody's span carries that.
    let asked = ask(nats, "quotes");
    let received = take(&mut endpoint).await;
    let respond = received.respond(Ok("42".into()));
    respond.with_context(remote_context()).await.unwrap();
    let reply = reply(asked).await;
    assert_eq!(header(&reply, "traceparent").as_deref(), Some(TRACEPARENT));
    assert!(!spans.names().iter().any(|name| name.starts_with("process")));
}

#[tokio::test]
async fn headers_of_the_author_are_kept() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let mut own = HeaderMap::new();
    own.append("own", "1");
    let mut created = own.clone();
    created.append("traceparent", TRACEPARENT);
    for (headers, response) in [
        (&own, Ok("42".into())),
        (&created, Ok("42".into())),
        (&own, Err(error(400))),
    ] {
        let asked = ask(nats, "quotes");
        let work = take(&mut endpoint).await.process(async |request| {
            let sent = request.respond_with_headers(response.clone(), headers.clone());
            sent.await.unwrap();
            current_span()
        });
        let server = work.await;
        let reply = reply(asked).await;
        assert_eq!(header(&reply, "own").as_deref(), Some("1"));
        let expected = match header_of(headers, "traceparent") {
            Some(created) => created,
            None => format!("00-{}-{}-01", server.trace_id(), server.span_id()),
        };
        assert_eq!(header(&reply, "traceparent"), Some(expected));
        let code = header(&reply, "Nats-Service-Error-Code");
        assert_eq!(code.as_deref(), response.err().map(|_| "400"));
    }
    assert_eq!(spans.all().len(), 6);
}

#[tokio::test]
async fn the_context_is_dropped_before_the_response_is() {
    let Setup { nats, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let max = nats.max_payload();
    let lines = "NATS/1.0\r\nNats-Service-Error: \r\nNats-Service-Error-Code: 400\r\n\r\n";
    for (response, carries) in [
        (Ok(vec![0; max].into()), false),
        (Ok(vec![0; max - 100].into()), true),
        (Err("x".repeat(max - lines.len())), false),
        (Err("x".repeat(max - lines.len() - 100)), true),
    ] {
        let asked = ask(nats, "quotes");
        let response = response.map_err(|status| Error { status, code: 400 });
        let work = take(&mut endpoint).await;
        work.process(async |request| request.respond(response).await.unwrap())
            .await;
        let reply = reply(asked).await;
        assert_eq!(header(&reply, "traceparent").is_some(), carries);
    }
}

#[tokio::test]
async fn a_message_that_asks_for_no_response_is_consumed() {
    let Setup { nats, spans, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    for response in [Ok("42".into()), Err(error(400))] {
        nats.publish("quotes", "".into()).await.unwrap();
        let work = take(&mut endpoint).await;
        let work = work.process(async |request| request.respond(response).await);
        let sent = work.await.unwrap_err();
        let kind = async_nats::client::PublishErrorKind::InvalidSubject;
        assert_eq!(sent.kind(), kind);
    }
    let mut spans = spans.all();
    spans.retain(|span| span.name == "process quotes");
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|s| s.span_kind == SpanKind::Consumer));
    assert_eq!(spans[0].status, Status::Unset);
    assert_eq!(failure(&spans[1]), "400");
    // async-nats counts what it sends.
    let stats = service.stats().await;
    assert_eq!((stats["quotes"].requests, stats["quotes"].errors), (0, 0));
}

#[tokio::test]
async fn without_an_sdk_what_came_in_goes_out() {
    let server = Server::start().await;
    let nats = Client::new(server.connect().await).with_tracer_provider(&NoopTracerProvider::new());
    let (_service, mut endpoint) = serve(&nats, "quotes").await;
    let request = nats.request("quotes", "".into());
    let (reply, ()) = tokio::join!(request.with_context(remote_context()), async {
        let work = take(&mut endpoint).await;
        work.process(async |request| request.respond(Err(error(400))).await.unwrap())
            .await;
    });
    let reply = reply.unwrap();
    assert_eq!(header(&reply, "traceparent").as_deref(), Some(TRACEPARENT));
    assert_eq!(
        header(&reply, "Nats-Service-Error-Code").as_deref(),
        Some("400")
    );
}

#[tokio::test]
async fn trust_is_that_of_the_client() {
    let Setup { nats, spans, .. } = &setup().await;
    let strict: Client = nats.clone().with_trust(Trust::linked());
    let (_service, mut endpoint) = serve(&strict, "quotes").await;
    let asked = ask(nats, "quotes");
    let work = take(&mut endpoint).await;
    work.process(async |request| request.respond(Ok("".into())).await.unwrap())
        .await;
    reply(asked).await;
    let (client, server) = (spans.one("request quotes"), spans.one("process quotes"));
    assert_eq!(server.parent_span_id, SpanId::INVALID);
    let linked = &server.links.links[0].span_context;
    assert_eq!(linked.span_id(), client.span_context.span_id());
}

#[tokio::test]
async fn garbage_never_panics_and_never_costs_the_request() {
    let setup = setup().await;
    let (service, mut endpoint) = serve(&setup.nats, "quotes").await;
    let plain = setup.server.connect().await;
    let mut replies = plain.subscribe("replies").await.unwrap();
    settle(&plain).await;
    let mut garbage = garbage();
    // A requester's own code does not make an error of the work.
    garbage.push(b"Nats-Service-Error-Code: 500\r\nNats-Service-Error: x\r\n".to_vec());
    let count = garbage.len();
    for headers in garbage {
        let publish = setup.server.publish_raw("quotes replies", &headers, b"p");
        publish.await;
        let work = take(&mut endpoint).await;
        let span: SpanContext = work
            .process(async |request| {
                assert_eq!(request.message.payload, "p");
                request.respond(Ok("r".into())).await.unwrap();
                current_span()
            })
            .await;
        let reply = take_plain(&mut replies).await;
        assert_eq!(reply.payload, "r");
        assert!(
            header(&reply, "traceparent")
                .unwrap()
                .contains(&span.span_id().to_string())
        );
        let ended = setup.spans.all().pop().unwrap();
        assert_eq!(ended.parent_span_id, SpanId::INVALID);
        assert_eq!(ended.span_kind, SpanKind::Server);
        assert_eq!(ended.status, Status::Unset);
    }
    assert_eq!(service.stats().await["quotes"].requests, count);
}

fn header_of(headers: &HeaderMap, name: &'static str) -> Option<String> {
    headers.get_all(name).next().map(ToString::to_string)
}

fn error(code: usize) -> Error {
    let status = "on purpose".to_owned();
    Error { status, code }
}
