use crate::support::*;
use async_nats::client::{Request, RequestErrorKind};
use async_nats::{ConnectOptions, HeaderMap, Message};
use dynamo_trace_nats::{Client, Replies, Subscriber};
use futures_util::{FutureExt as _, StreamExt};
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, SpanKind, Status};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

const CHUNKS: &str = "dynamo_trace.stream.chunks";
const BYTES: &str = "dynamo_trace.stream.bytes";
const FIRST: &str = "dynamo_trace.stream.time_to_first_chunk";
const GAP: &str = "dynamo_trace.stream.longest_gap";

fn request() -> Request {
    Request::new().payload("prompt".into())
}

/// Starts a stream, and answers with these payloads.
async fn stream(nats: &Client, work: &mut Subscriber, payloads: &[&'static str]) -> Replies {
    stream_in(Context::new(), nats, work, payloads).await
}

async fn stream_in(
    caller: Context,
    nats: &Client,
    work: &mut Subscriber,
    payloads: &[&'static str],
) -> Replies {
    let replies = nats.request_stream("generate", request());
    let replies = replies.with_context(caller).await.unwrap();
    let received = take(work).await;
    let answer = received.process(async |request| {
        for payload in payloads {
            nats.reply(&request, (*payload).into()).await.unwrap();
        }
    });
    answer.await;
    replies
}

async fn next(replies: &mut Replies) -> Option<Result<Message, RequestErrorKind>> {
    let next = within(replies.next()).await?;
    Some(next.map_err(|error| error.kind()))
}

async fn payloads(replies: &mut Replies) -> Vec<bytes::Bytes> {
    let mut all = Vec::new();
    while let Some(reply) = next(replies).await {
        all.push(reply.unwrap().payload);
    }
    all
}

/// Whether nobody listens any more. What was dropped before is worked off by then: commands are
/// in order.
async fn unsubscribed(nats: &Client, subject: &'static str) -> bool {
    let nats = nats.clone().into_inner();
    let answer = nats.request(subject, "".into()).await;
    answer.is_err_and(|error| error.kind() == RequestErrorKind::NoResponders)
}

#[tokio::test]
async fn one_span_covers_the_stream() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let tokens = ["a", "bc", "def", ""];
    let replies = stream_in(remote_context(), nats, &mut work, &tokens).await;
    let mut replies = replies.until(|reply| reply.payload.is_empty());
    assert_eq!(spans.names(), ["process generate"]);
    assert_eq!(payloads(&mut replies).await, ["a", "bc", "def", ""]);
    assert!(next(&mut replies).await.is_none());

    let (client, process) = (spans.one("request generate"), spans.one("process generate"));
    assert_eq!(client.span_kind, SpanKind::Client);
    assert_eq!(client.status, Status::Unset);
    assert_eq!(client.parent_span_id, remote_span().span_id());
    assert_eq!(process.parent_span_id, client.span_context.span_id());
    assert_eq!(process.span_kind, SpanKind::Server);
    let times = [FIRST, GAP].map(|key| match attribute(&client, key) {
        Some(opentelemetry::Value::F64(seconds)) => seconds,
        other => panic!("{key}: {other:?}"),
    });
    let took = client.end_time.duration_since(client.start_time).unwrap();
    assert!(
        times[0] > 0.0 && times[0] <= took.as_secs_f64(),
        "{times:?}"
    );
    assert!(
        times[1] >= 0.0 && times[1] <= took.as_secs_f64(),
        "{times:?}"
    );
    let counted = attributes(&client)
        .into_iter()
        .filter(|it| !it.starts_with(FIRST) && !it.starts_with(GAP));
    assert_eq!(
        counted.collect::<Vec<_>>(),
        [
            "dynamo_trace.stream.bytes=6",
            "dynamo_trace.stream.chunks=3",
            "messaging.destination.name=generate",
            "messaging.message.body.size=6",
            "messaging.operation.name=request",
            "messaging.operation.type=send",
            "messaging.system=nats",
        ]
    );
}

#[tokio::test]
async fn the_last_reply_ends_the_span_and_the_subscription() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let asked = nats.request_stream("generate", request().inbox("answers".to_owned()));
    let mut replies = asked.await.unwrap().max_messages(2);
    let reply_to = take(&mut work).await.reply.clone().unwrap();
    assert_eq!(&*reply_to, "answers");
    for payload in ["1", "2", "3"] {
        nats.publish("answers", payload.into()).await.unwrap();
    }
    assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "1");
    assert_eq!(spans.names(), ["publish answers"; 3]);
    assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "2");
    // The stream was not asked for more, and yet it is known to be over.
    let span = spans.one("request generate");
    assert_eq!(attribute(&span, CHUNKS), Some(2.into()));
    assert_eq!(attribute(&span, BYTES), Some(2.into()));
    assert_eq!(attribute(&span, "dynamo_trace.ending"), None);
    assert!(unsubscribed(nats, "answers").await);
    assert!(next(&mut replies).await.is_none());
}

#[tokio::test]
async fn a_stream_that_stalls_fails() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let brief = request().timeout(Some(Duration::from_millis(1)));
    let mut replies = nats.request_stream("generate", brief).await.unwrap();
    let request = take(&mut work).await.into_inner();
    for payload in ["a", "b"] {
        nats.reply(&request, payload.into()).await.unwrap();
    }
    // Both are there before they are asked for, however long that takes.
    settle(nats).await;
    assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "a");
    assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "b");
    let error = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(error, RequestErrorKind::TimedOut);
    assert!(next(&mut replies).await.is_none());
    let span = spans.one("request generate");
    assert_eq!(attribute(&span, "error.type"), Some("timeout".into()));
    assert_eq!(attribute(&span, CHUNKS), Some(2.into()));
    assert_eq!(span.status, Status::error(""));
}

#[tokio::test]
async fn the_timeout_is_the_clients_unless_the_request_has_one() {
    let Setup {
        server,
        provider,
        spans,
        ..
    } = &setup().await;
    let brief = ConnectOptions::new().request_timeout(Some(Duration::from_millis(1)));
    let nats = Client::new(server.connect_with(brief).await).with_tracer_provider(provider);
    let mut work = nats.subscribe("generate").await.unwrap();
    let mut silent = nats.request_stream("generate", request()).await.unwrap();
    take(&mut work).await;
    let error = next(&mut silent).await.unwrap().unwrap_err();
    assert_eq!(error, RequestErrorKind::TimedOut);
    spans.one("request generate");

    let patient = request().timeout(Some(DEADLINE));
    let mut replies = nats.request_stream("generate", patient).await.unwrap();
    let request = take(&mut work).await.into_inner();
    let (reply, ()) = tokio::join!(next(&mut replies), async {
        // Longer than the client's own.
        tokio::time::sleep(Duration::from_millis(5)).await;
        nats.reply(&request, "".into()).await.unwrap();
    });
    reply.unwrap().unwrap();
}

#[tokio::test]
async fn nobody_who_listens_fails_the_stream() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut replies = nats.request_stream("nobody", request()).await.unwrap();
    let error = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(error, RequestErrorKind::NoResponders);
    assert!(next(&mut replies).await.is_none());
    let span = spans.one("request nobody");
    assert_eq!(attribute(&span, "error.type"), Some("no_responders".into()));
    assert_eq!(attribute(&span, CHUNKS), None);
}

#[tokio::test]
async fn a_reply_that_is_an_error_fails_the_span_however_the_stream_ends() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    for give_up in [false, true] {
        let mut replies = nats.request_stream("generate", request()).await.unwrap();
        let request = take(&mut work).await.into_inner();
        for code in ["429", "500"] {
            let mut headers = HeaderMap::new();
            headers.append("Nats-Service-Error-Code", code);
            let reply = nats.reply_with_headers(&request, headers, code.into());
            reply.await.unwrap();
        }
        nats.reply(&request, "fine".into()).await.unwrap();
        if give_up {
            assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "429");
            drop(replies);
        } else {
            let mut replies = replies.until(|reply| reply.payload == "fine");
            assert_eq!(payloads(&mut replies).await, ["429", "500", "fine"]);
        }
        let span = spans.all().pop().unwrap();
        assert_eq!(span.name, "request generate");
        assert_eq!(attribute(&span, "error.type"), Some("429".into()));
        assert_eq!(span.status, Status::error(""));
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_ends_as_cancelled() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let own_inbox = request().inbox("answers".to_owned());
    let mut replies = nats.request_stream("generate", own_inbox).await.unwrap();
    let request = take(&mut work).await.into_inner();
    for payload in ["a", "b", "c"] {
        nats.reply(&request, payload.into()).await.unwrap();
    }
    next(&mut replies).await.unwrap().unwrap();
    next(&mut replies).await.unwrap().unwrap();
    assert!(spans.all().is_empty());
    drop(replies);
    let span = spans.one("request generate");
    let ending = attribute(&span, "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
    assert_eq!(attribute(&span, CHUNKS), Some(2.into()));
    assert_eq!(attribute(&span, BYTES), Some(2.into()));
    assert_eq!(span.status, Status::Unset);
    assert!(unsubscribed(nats, "answers").await);
}

#[tokio::test]
async fn the_caller_may_say_that_it_was_all() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let mut replies = stream(nats, &mut work, &["a"]).await;
    next(&mut replies).await.unwrap().unwrap();
    replies.complete();
    let span = spans.one("request generate");
    assert_eq!(attribute(&span, "dynamo_trace.ending"), None);
    // One reply is no stream.
    assert_eq!(attribute(&span, CHUNKS), None);
}

#[tokio::test]
async fn of_both_ends_the_first_is_it() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    for (messages, last, expected) in [
        (0, "b", vec![]),
        (1, "b", vec!["a"]),
        (2, "b", vec!["a", "b"]),
        (3, "b", vec!["a", "b"]),
        (3, "d", vec!["a", "b", "c"]),
    ] {
        let replies = stream(nats, &mut work, &["a", "b", "c", "d"]).await;
        let replies = replies.max_messages(messages);
        let mut replies = replies.until(move |reply| reply.payload == last);
        assert_eq!(payloads(&mut replies).await, expected);
        let span = spans.all().pop().unwrap();
        assert_eq!(span.name, "request generate");
        assert_eq!(attribute(&span, "dynamo_trace.ending"), None);
    }
}

#[tokio::test]
async fn a_stream_combines_as_others_do() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let replies = stream(nats, &mut work, &["a", "b", ""]).await;
    let replies = replies.until(|reply| reply.payload.is_empty());
    let all = replies
        .map(|reply| reply.unwrap().payload)
        .collect::<Vec<_>>();
    assert_eq!(within(tokio::spawn(all)).await.unwrap(), ["a", "b", ""]);
    assert_eq!(
        attribute(&spans.one("request generate"), CHUNKS),
        Some(2.into())
    );
}

#[tokio::test]
async fn a_panic_in_until_fails_the_span() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let replies = stream(nats, &mut work, &["a"]).await;
    let mut replies = replies.until(|_| panic!("the predicate"));
    let next = AssertUnwindSafe(replies.next()).catch_unwind();
    within(next).await.unwrap_err();
    let span = spans.one("request generate");
    assert_eq!(attribute(&span, "error.type"), Some("panic".into()));
    drop(replies);
    spans.one("request generate");
}

#[tokio::test]
async fn a_client_that_is_closed_fails_the_stream() {
    let Setup { nats, spans, .. } = &setup().await;
    let _work = nats.subscribe("generate").await.unwrap();
    let mut replies = nats.request_stream("generate", request()).await.unwrap();
    nats.drain().await.unwrap();
    let error = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(error, RequestErrorKind::Other);
    assert!(next(&mut replies).await.is_none());
    let span = spans.one("request generate");
    assert_eq!(
        attribute(&span, "error.type"),
        Some("connection_closed".into())
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_has_no_stream() {
    let Setup { nats, spans, .. } = &setup().await;
    let large = vec![0; nats.max_payload() + 1];
    let large = request().payload(large.into()).inbox("answers".to_owned());
    let bad_inbox = request().inbox("no inbox".to_owned());
    for (subject, request, kind, error) in [
        (
            "a b",
            request(),
            RequestErrorKind::InvalidSubject,
            "invalid_subject",
        ),
        (
            "large",
            large,
            RequestErrorKind::MaxPayloadExceeded,
            "max_payload_exceeded",
        ),
        ("inbox", bad_inbox, RequestErrorKind::Other, "_OTHER"),
    ] {
        let failed = nats.request_stream(subject, request).await.unwrap_err();
        assert_eq!(failed.kind(), kind);
        let span = spans.one(&format!("request {subject}"));
        assert_eq!(attribute(&span, "error.type"), Some(error.into()));
    }
    assert!(unsubscribed(nats, "answers").await);
}

#[tokio::test]
async fn a_stream_that_is_given_up_before_it_begins_ends_as_cancelled() {
    let server = Server::start().await;
    let (provider, spans) = provider();
    let slow = server
        .connect_with(ConnectOptions::new().client_capacity(1))
        .await;
    let nats = Client::new(slow).with_tracer_provider(&provider);
    // One thread: the connection's task does not run before this one waits.
    assert!(
        nats.request_stream("generate", request())
            .now_or_never()
            .is_none()
    );
    let span = spans.one("request generate");
    let ending = attribute(&span, "dynamo_trace.ending");
    assert_eq!(ending, Some("cancelled".into()));
}

#[tokio::test]
async fn a_stream_that_nobody_samples_is_the_same() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let tokens = ["a", "b", ""];
    let replies = stream_in(unsampled_context(), nats, &mut work, &tokens).await;
    let mut replies = replies.until(|reply| reply.payload.is_empty());
    assert_eq!(payloads(&mut replies).await, ["a", "b", ""]);
    assert!(spans.all().is_empty());
}

#[tokio::test]
async fn a_creation_context_of_the_author_is_kept() {
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.append("traceparent", TRACEPARENT);
    let own = request().headers(headers.clone());
    let replies = nats.request_stream("generate", own).await.unwrap();
    assert_eq!(take(&mut work).await.headers.as_ref(), Some(&headers));
    drop(replies);
    let span = spans.one("request generate");
    assert_eq!(span.links.links[0].span_context, remote_span());
}

#[tokio::test]
async fn each_reply_has_the_whole_timeout() {
    const NEARLY: Duration = Duration::from_secs(9);
    let Setup { nats, spans, .. } = &setup().await;
    let mut work = nats.subscribe("generate").await.unwrap();
    let patient = request().timeout(Some(Duration::from_secs(10)));
    let mut replies = nats.request_stream("generate", patient).await.unwrap();
    let request = take(&mut work).await.into_inner();
    // Time passes only as this test says, as long as there is something to do.
    tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    tokio::time::pause();
    for _ in 0..3 {
        assert!(replies.next().now_or_never().is_none());
        tokio::time::advance(NEARLY).await;
        assert!(replies.next().now_or_never().is_none());
        nats.reply(&request, "r".into()).await.unwrap();
        assert_eq!(next(&mut replies).await.unwrap().unwrap().payload, "r");
        // The caller's own time.
        tokio::time::advance(NEARLY).await;
    }
    assert!(replies.next().now_or_never().is_none());
    assert!(spans.all().is_empty());
    tokio::time::advance(NEARLY * 2).await;
    let error = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(error, RequestErrorKind::TimedOut);
}
