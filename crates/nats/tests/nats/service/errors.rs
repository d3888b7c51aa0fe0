//! Errors that are responded, whenever and wherever.

use super::*;
use dynamo_trace_nats::service::error::Error;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};

fn error(code: usize) -> Error {
    let status = "on purpose".to_owned();
    Error { status, code }
}

/// The requester's and the service's span of the last request.
fn last(spans: &Spans) -> [SpanData; 2] {
    let all = spans.all();
    let of = |name: &str| all.iter().rfind(|span| span.name == name).unwrap().clone();
    [of("request quotes"), of("process quotes")]
}

#[tokio::test]
async fn an_error_fails_the_spans_of_both_sides_alike() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    for (code, expected) in [
        (0, "0"),
        (400, "400"),
        (503, "503"),
        (99_999, "99999"),
        (100_000, "_OTHER"),
        (usize::MAX, "_OTHER"),
    ] {
        let asked = ask(nats, "quotes");
        let work = take(&mut endpoint).await;
        work.process(async |request| request.respond(Err(error(code))).await.unwrap())
            .await;
        let reply = reply(asked).await;
        assert_eq!(
            header(&reply, "Nats-Service-Error").as_deref(),
            Some("on purpose")
        );
        let sent = header(&reply, "Nats-Service-Error-Code");
        assert_eq!(sent, Some(code.to_string()));
        for span in last(spans) {
            assert_eq!(failure(&span), expected);
            assert_eq!(span.status, Status::error(""), "no text of others");
        }
    }
}

#[tokio::test]
async fn the_code_counts_even_if_the_work_fails_too() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    for respond in [true, false] {
        let asked = ask(nats, "quotes");
        let work = take(&mut endpoint).await.try_process(async |request| {
            if respond {
                request.respond(Err(error(503))).await.unwrap();
            } else {
                request.respond(Ok("".into())).await.unwrap();
            }
            "x".parse::<u8>()
        });
        work.await.unwrap_err();
        reply(asked).await;
        let expected = match respond {
            true => "503",
            false => "core::num::error::ParseIntError",
        };
        assert_eq!(failure(&last(spans)[1]), expected);
    }
}

#[tokio::test]
async fn an_error_below_another_span_or_on_another_task_is_the_requests() {
    let Setup {
        nats,
        spans,
        provider,
        ..
    } = &setup().await;
    use opentelemetry::trace::{FutureExt, Tracer, TracerProvider};
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let tracer = provider.tracer("test");
    let work = take(&mut endpoint).await.process(async |request| {
        let inner = Context::current_with_span(tracer.start("inner"));
        let respond = async { request.respond(Err(error(503))).await };
        respond.with_context(inner).await.unwrap();
    });
    work.await;
    let first = reply(asked).await;
    let inner = spans.one("inner");
    assert_eq!(inner.status, Status::Unset);
    let parent = header(&first, "traceparent").unwrap();
    assert!(parent.contains(&inner.span_context.span_id().to_string()));
    assert_eq!(failure(&last(spans)[1]), "503");

    let asked = ask(nats, "quotes");
    let work = take(&mut endpoint).await.process(async |request| {
        tokio::task::yield_now().await;
        let task = tokio::spawn(async move { request.respond(Err(error(504))).await });
        task.await.unwrap().unwrap();
    });
    work.await;
    // Another task has no context, unless it is given one.
    assert_eq!(header(&reply(asked).await, "traceparent"), None);
    assert_eq!(failure(&last(spans)[1]), "504");
}

#[tokio::test]
async fn the_first_of_several_errors_counts_whatever_else_is_responded() {
    let Setup { nats, spans, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let work = take(&mut endpoint).await.process(async |request| {
        request.respond(Ok("a part".into())).await.unwrap();
        request.respond(Err(error(503))).await.unwrap();
        request.respond(Err(error(504))).await.unwrap();
        request.respond(Ok("".into())).await.unwrap();
    });
    work.await;
    assert_eq!(reply(asked).await.payload, "a part");
    let [client, server] = last(spans);
    assert_eq!(client.status, Status::Unset);
    assert_eq!(failure(&server), "503");
    let stats = &service.stats().await["quotes"];
    assert_eq!((stats.requests, stats.errors), (4, 2));
}

#[tokio::test]
async fn an_error_that_comes_too_late_changes_nothing() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let request = take(&mut endpoint).await.process(async |request| request);
    let request = request.await;
    request.respond(Err(error(503))).await.unwrap();
    let reply = reply(asked).await;
    assert_eq!(
        header(&reply, "Nats-Service-Error-Code").as_deref(),
        Some("503")
    );
    let [client, server] = last(spans);
    assert_eq!(failure(&client), "503");
    assert_eq!(server.status, Status::Unset);
}

#[tokio::test]
async fn an_error_before_the_span_starts_is_its_error() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let received = take(&mut endpoint).await;
    received.respond(Err(error(429))).await.unwrap();
    received.process(async |_| {}).await;
    reply(asked).await;
    assert_eq!(failure(&last(spans)[1]), "429");
}

#[tokio::test]
async fn by_hand_the_guard_ends_with_the_code() {
    let Setup { nats, spans, .. } = &setup().await;
    let (_service, mut endpoint) = serve(nats, "quotes").await;
    for _ in 0..2 {
        let asked = ask(nats, "quotes");
        let (request, guard) = take(&mut endpoint).await.start();
        guard
            .context()
            .span()
            .set_attribute(KeyValue::new("seen", true));
        request.respond(Err(error(503))).await.unwrap();
        drop(guard);
        reply(asked).await;
        assert_eq!(failure(&last(spans)[1]), "503");
    }
}

#[tokio::test]
async fn a_status_of_several_lines_is_sent_as_one() {
    let Setup { nats, spans, .. } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let asked = ask(nats, "quotes");
    let status = "no\r\nNats-Service-Error-Code: 1\r\n\r\n".to_owned();
    let work = take(&mut endpoint).await;
    work.process(async |request| {
        let error = Error { status, code: 500 };
        request.respond(Err(error)).await.unwrap();
    })
    .await;
    let reply = reply(asked).await;
    let expected = "no  Nats-Service-Error-Code: 1    ";
    let sent = header(&reply, "Nats-Service-Error").unwrap();
    assert_eq!(sent, expected.trim());
    assert_eq!(
        header(&reply, "Nats-Service-Error-Code").as_deref(),
        Some("500")
    );
    assert_eq!(failure(&last(spans)[1]), "500");
    let stats = &service.stats().await["quotes"];
    assert_eq!(stats.last_error.as_ref().unwrap().status, expected);
    assert_eq!((stats.requests, stats.errors), (1, 1));
}
