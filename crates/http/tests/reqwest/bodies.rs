//! Response bodies, whether the span waits for them or not.

use crate::{BoxError, Server, Telemetry, channel, plain, serve, soon, traced, url};
use axum::body::Body;
use axum::routing::{any, get};
use dynamo_trace_testkit::span_log::{attribute, ending};
use http_body_util::channel::Sender;
use reqwest::Response;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Chunks = Sender<bytes::Bytes, BoxError>;

/// Answers one request with a body that the test sends.
async fn streaming() -> (Server, Chunks) {
    let (chunks, body) = channel();
    let body = Arc::new(Mutex::new(Some(body)));
    let handler = async move || {
        let body: Body = body.lock().unwrap().take().unwrap();
        ([("x-answer", "42")], body)
    };
    (serve("/stream", get(handler)).await, chunks)
}

async fn head(telemetry: &Telemetry, with_body: bool, server: &Server) -> Response {
    let layer = match with_body {
        true => telemetry.layer().with_body(),
        false => telemetry.layer(),
    };
    let sent = traced(layer).get(url(server, "/stream#part")).send();
    soon(sent).await.unwrap()
}

#[tokio::test]
async fn without_the_option_the_span_ends_with_the_head() {
    let telemetry = Telemetry::new();
    let (server, mut chunks) = streaming().await;
    let response = head(&telemetry, false, &server).await;
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    assert_eq!(attribute(&span, "dynamo_trace.stream.chunks"), None);
    chunks.send_data("ready".into()).await.unwrap();
    drop(chunks);
    assert_eq!(soon(response.text()).await.unwrap(), "ready");
}

#[tokio::test]
async fn with_it_the_span_ends_with_the_body_and_counts_it() {
    let telemetry = Telemetry::new();
    let (server, mut chunks) = streaming().await;
    let mut response = head(&telemetry, true, &server).await;
    for chunk in ["one", "two", "three"] {
        chunks.send_data(chunk.into()).await.unwrap();
        let read = soon(response.chunk()).await.unwrap();
        assert_eq!(read.unwrap(), chunk);
    }
    assert_eq!(telemetry.count(), 0, "it is still open");
    drop(chunks);
    assert_eq!(soon(response.chunk()).await.unwrap(), None);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    let counted = |key| attribute(&span, key);
    assert_eq!(counted("dynamo_trace.stream.chunks"), Some(3.into()));
    assert_eq!(counted("dynamo_trace.stream.bytes"), Some(11.into()));
}

#[tokio::test]
async fn the_response_is_the_one_that_reqwest_gave() {
    for with_body in [false, true] {
        let telemetry = Telemetry::new();
        let (server, chunks) = streaming().await;
        let response = head(&telemetry, with_body, &server).await;
        let tells = |response: &Response| {
            let mut headers = response.headers().clone();
            headers.remove("date");
            (
                (response.status(), response.version(), headers),
                (response.url().clone(), response.content_length()),
            )
        };
        assert_eq!(response.remote_addr(), Some(server.addr));
        let traced = tells(&response);
        drop((response, chunks));

        let (other, _chunks) = streaming().await;
        let sent = plain().get(url(&other, "/stream#part")).send();
        let mut plain = tells(&soon(sent).await.unwrap());
        plain.1.0.set_port(Some(server.addr.port())).unwrap();
        assert_eq!(traced, plain, "{with_body}");
    }
}

#[tokio::test]
async fn a_response_knows_its_length_while_the_span_waits() {
    let telemetry = Telemetry::new();
    let server = serve("/", any(async || "ready")).await;
    let sent = traced(telemetry.layer().with_body()).get(url(&server, "/"));
    let response = soon(sent.send()).await.unwrap();
    assert_eq!(telemetry.count(), 0, "it is still open");
    assert_eq!(response.content_length(), Some(5));
    assert_eq!(soon(response.text()).await.unwrap(), "ready");
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
}

#[tokio::test]
async fn a_body_that_fails_fails_the_span() {
    let telemetry = Telemetry::new();
    let (server, mut chunks) = streaming().await;
    let mut response = head(&telemetry, true, &server).await;
    chunks.send_data("one".into()).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "one");
    chunks.abort(io::Error::other("no more").into());
    let error = soon(response.chunk()).await.unwrap_err();
    assert!(error.is_decode(), "as without a span: {error:?}");
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:unexpected_end_of_file");
}

#[tokio::test]
async fn a_timeout_within_the_body_is_an_error_of_its_kind() {
    let telemetry = Telemetry::new();
    let (server, _chunks) = streaming().await;
    let client = traced(telemetry.layer().with_body());
    let sent = client.get(url(&server, "/stream"));
    let response = soon(sent.timeout(Duration::from_secs(10)).send()).await;
    // From here on, time goes on to the next timer whenever nothing else happens.
    tokio::time::pause();
    let error = soon(response.unwrap().bytes()).await.unwrap_err();
    assert!(error.is_timeout(), "as without a span: {error:?}");
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:timed_out");
}

#[tokio::test]
async fn a_body_that_is_dropped_is_cancelled() {
    let telemetry = Telemetry::new();
    let (server, mut chunks) = streaming().await;
    let mut response = head(&telemetry, true, &server).await;
    chunks.send_data("one".into()).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "one");
    assert_eq!(telemetry.count(), 0, "it is still open");
    drop(response);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "cancelled");
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_waited_for() {
    let telemetry = Telemetry::new();
    let server = serve("/", any(async || "ready")).await;
    let client = traced(telemetry.layer().with_body());
    let empty = serve("/", any(async || "")).await;
    let head = client.head(url(&server, "/")).send();
    let head = soon(head).await.unwrap();
    let empty = soon(client.get(url(&empty, "/")).send()).await.unwrap();
    // Both responses are still there.
    for span in telemetry.ended::<2>().await {
        assert_eq!(ending(&span), "complete");
    }
    assert_eq!(head.headers()["content-length"], "5");
    assert_eq!(soon(empty.text()).await.unwrap(), "");
}
