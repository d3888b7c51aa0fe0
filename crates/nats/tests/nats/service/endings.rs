//! Requests that end in other ways than by a response, and many at a time.

use super::*;
use async_nats::client::RequestErrorKind;
use dynamo_trace_nats::service::error::Error;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer, TracerProvider};
use std::collections::HashMap;
use tokio::task::JoinSet;

#[tokio::test]
async fn stopping_leaves_the_requests_that_have_arrived() {
    let Setup { nats, spans, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let asked: Vec<_> = (0..3).map(|_| ask(nats, "quotes")).collect();
    let first = take(&mut endpoint).await;
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let running = tokio::spawn(first.process(async move |request| {
        stopped.await.unwrap();
        request.respond(Ok("first".into())).await.unwrap();
    }));
    // On one thread, all three are sent by now, and arrive before the answer to this.
    settle(nats).await;
    service.stop().await.unwrap();
    stopping.send(()).unwrap();
    running.await.unwrap();
    let mut count = 1;
    while let Some(received) = within(endpoint.next()).await {
        let work = received.process(async |request| request.respond(Ok("later".into())).await);
        work.await.unwrap();
        count += 1;
    }
    assert_eq!(count, 3);
    let mut payloads = Vec::new();
    for asked in asked {
        payloads.push(reply(asked).await.payload);
    }
    payloads.sort();
    assert_eq!(payloads, ["first", "later", "later"]);
    let error = nats.request("quotes", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::NoResponders);
    let mut served = spans.all();
    served.retain(|span| span.name == "process quotes");
    assert_eq!(served.len(), 3);
    assert!(served.iter().all(|span| span.status == Status::Unset));
}

#[tokio::test]
async fn an_endpoint_stops_alone() {
    let Setup { nats, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let mut other = service.endpoint("other").await.unwrap();
    endpoint.stop().await.unwrap();
    assert!(within(endpoint.next()).await.is_none());
    let asked = ask(nats, "other");
    let work = take(&mut other).await;
    work.respond(Ok("still".into())).await.unwrap();
    assert_eq!(reply(asked).await.payload, "still");
    drop(other);
    settle(nats).await;
    let error = nats.request("other", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn endpoints_end_with_the_service_and_its_groups() {
    let Setup { nats, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let group = service.group("v1").group("stocks");
    drop(service);
    let asked = ask(nats, "quotes");
    take(&mut endpoint)
        .await
        .respond(Ok("42".into()))
        .await
        .unwrap();
    reply(asked).await;
    drop(group);
    assert!(within(endpoint.next()).await.is_none());
}

#[tokio::test]
async fn a_request_that_nobody_answers_or_processes() {
    let Setup { nats, spans, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let asked = [
        ask(nats, "quotes"),
        ask(nats, "quotes"),
        ask(nats, "quotes"),
    ];
    // One is dropped, one processed without an answer, one given up on the way.
    drop(take(&mut endpoint).await);
    take(&mut endpoint).await.process(async |_| {}).await;
    drop(
        take(&mut endpoint)
            .await
            .process(async |request| request.respond(Ok("".into())).await),
    );
    for asked in &asked {
        assert!(!asked.is_finished());
        asked.abort();
    }
    let ending = dynamo_trace_testkit::span_log::ending;
    let mut served = spans.all();
    served.retain(|span| span.name == "process quotes");
    let endings: Vec<_> = served.iter().map(ending).collect();
    assert_eq!(endings, ["complete", "cancelled"]);
    let stats = &service.stats().await["quotes"];
    assert_eq!((stats.requests, stats.errors), (0, 0));
}

#[tokio::test]
async fn a_panic_fails_the_span_and_not_the_service() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    for respond in [false, true] {
        let asked = ask(nats, "quotes");
        let work = take(&mut endpoint).await.process(async move |request| {
            if respond {
                let status = "on purpose".to_owned();
                let error = Error { status, code: 500 };
                request.respond(Err(error)).await.unwrap();
            }
            panic!("on purpose");
        });
        assert!(tokio::spawn(work).await.unwrap_err().is_panic());
        let mut spans = spans.all().into_iter();
        let server = spans.rfind(|span| span.name == "process quotes").unwrap();
        // What was responded is what the requester knows.
        assert_eq!(failure(&server), if respond { "500" } else { "panic" });
        asked.abort();
    }
    let asked = ask(nats, "quotes");
    take(&mut endpoint)
        .await
        .respond(Ok("42".into()))
        .await
        .unwrap();
    assert_eq!(reply(asked).await.payload, "42");
}

const MANY: usize = 1_000;

/// Answers with the trace it is in: as an error, or on a task of its own, or not.
async fn answer(request: Request) {
    let text = std::str::from_utf8(&request.message.payload).unwrap();
    let number: usize = text.split(' ').next().unwrap().parse().unwrap();
    for _ in 0..number % 5 {
        tokio::task::yield_now().await;
    }
    let (_, trace_id) = text.split_once(' ').unwrap();
    assert_eq!(current_span().trace_id().to_string(), trace_id);
    match number % 3 {
        0 => {
            let status = trace_id.to_owned();
            let error = Error {
                status,
                code: number,
            };
            request.respond(Err(error)).await.unwrap();
        }
        1 => {
            let respond = async move {
                let payload = request.message.payload.clone();
                request.respond(Ok(payload)).await.unwrap();
            };
            tokio::spawn(respond.with_current_context()).await.unwrap();
        }
        _ => {
            let payload = request.message.payload.clone();
            request.respond(Ok(payload)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_do_not_mix() {
    let Setup {
        nats,
        spans,
        provider,
        ..
    } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let serving = tokio::spawn(async move {
        let mut work = JoinSet::new();
        for _ in 0..MANY {
            work.spawn(take(&mut endpoint).await.process(answer));
        }
        while let Some(done) = work.join_next().await {
            done.unwrap();
        }
    });
    let tracer = provider.tracer("test");
    let mut asked = JoinSet::new();
    for number in 0..MANY {
        let root = Context::new().with_span(tracer.start_with_context("root", &Context::new()));
        let trace_id = root.span().span_context().trace_id();
        let (nats, payload) = (nats.clone(), format!("{number} {trace_id}"));
        let ask = async move {
            let reply = nats
                .request("quotes", payload.clone().into())
                .await
                .unwrap();
            let parent = header(&reply, "traceparent").unwrap();
            assert!(parent.contains(&trace_id.to_string()));
            match number % 3 {
                0 => assert_eq!(
                    header(&reply, "Nats-Service-Error"),
                    Some(trace_id.to_string())
                ),
                _ => assert_eq!(reply.payload, payload),
            }
            (trace_id, number)
        };
        asked.spawn(ask.with_context(root));
    }
    let numbers: HashMap<_, _> = within(asked.join_all()).await.into_iter().collect();
    within(serving).await.unwrap();

    let spans = spans.all();
    let by_id: HashMap<_, _> = spans
        .iter()
        .map(|s| (s.span_context.span_id(), s))
        .collect();
    let mut served = 0;
    for server in spans.iter().filter(|span| span.name == "process quotes") {
        served += 1;
        let client = by_id[&server.parent_span_id];
        assert_eq!(client.name, "request quotes");
        assert_eq!(by_id[&client.parent_span_id].name, "root");
        let number = numbers[&server.span_context.trace_id()];
        for span in [client, server] {
            match number % 3 {
                0 => assert_eq!(failure(span), number.to_string()),
                _ => assert_eq!(span.status, Status::Unset),
            }
        }
    }
    assert_eq!(served, MANY);
    let stats = &service.stats().await["quotes"];
    assert_eq!((stats.requests, stats.errors), (MANY, MANY.div_ceil(3)));
}
