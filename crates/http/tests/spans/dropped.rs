//! Calls and bodies that are dropped by what stands above.

use crate::telemetry::{attribute, ending};
use crate::{BoxError, Telemetry, channel, soon};
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{FutureExt, StreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const LIMIT: Duration = Duration::from_millis(150);

fn request(method: Method) -> Request<Body> {
    let request = Request::builder().method(method);
    request
        .uri("http://example.com/")
        .body(Body::empty())
        .unwrap()
}

/// The time stands still but for the timeout.
#[tokio::test(start_paused = true)]
async fn a_timeout_above_cancels() {
    let telemetry = Telemetry::new();
    let hangs = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let server = ServiceBuilder::new()
        .timeout(LIMIT)
        .layer(telemetry.server());
    let server = server.service(hangs);
    server.oneshot(request(Method::GET)).await.unwrap_err();
    let client = ServiceBuilder::new()
        .timeout(LIMIT)
        .layer(telemetry.client());
    let client = client.service(hangs);
    client.oneshot(request(Method::GET)).await.unwrap_err();
    let timed_out = async |_: BoxError| StatusCode::GATEWAY_TIMEOUT;
    let app = Router::new().route("/", get(pending::<()>)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(timed_out))
            .timeout(LIMIT)
            .layer(telemetry.axum()),
    );
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    for span in telemetry.ended::<3>().await {
        assert_eq!(ending(&span), "cancelled");
        assert_eq!(attribute(&span, "http.response.status_code"), None);
    }
}

/// What is inside and gives up answers, and that is what counts.
#[tokio::test(start_paused = true)]
async fn a_timeout_inside_fails() {
    let telemetry = Telemetry::new();
    let hangs = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let client = ServiceBuilder::new()
        .layer(telemetry.client())
        .timeout(LIMIT);
    let client = client.service(hangs);
    client.oneshot(request(Method::GET)).await.unwrap_err();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:_OTHER");
}

#[tokio::test]
async fn a_buffered_body_that_nobody_reads_is_cancelled() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/", get(async || Json([1, 2, 3])));
    let in_router = app.clone().layer(telemetry.axum());
    let around = telemetry.axum().layer(app.clone());
    let any = app.layer(telemetry.server());
    drop(soon(in_router.oneshot(request(Method::GET))).await.unwrap());
    drop(soon(around.oneshot(request(Method::GET))).await.unwrap());
    drop(soon(any.oneshot(request(Method::GET))).await.unwrap());
    for span in telemetry.ended::<3>().await {
        assert_eq!(ending(&span), "cancelled");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status, Some(200.into()));
    }
}

#[tokio::test]
async fn a_buffered_body_is_complete_with_its_last_byte() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/", get(async || "a body"));
    let app = app.layer(telemetry.axum());
    let mut response = soon(app.oneshot(request(Method::GET))).await.unwrap();
    soon(response.frame()).await.unwrap().unwrap();
    // Not read to its end, but to its length.
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    drop(response);
    telemetry.ended::<1>().await;
}

/// As a server does that goes on: the body is dropped after the panic.
#[tokio::test]
async fn a_body_that_panics_is_not_cancelled_when_it_is_dropped() {
    let telemetry = Telemetry::new();
    let panics = service_fn(|_: Request<Body>| {
        let stream = futures_util::stream::once(async { panic!("of the body") });
        let body = Body::from_stream(stream.map(|()| Ok::<_, Infallible>("chunk")));
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let service = telemetry.server().layer(panics);
    let response = soon(service.oneshot(request(Method::GET))).await.unwrap();
    let mut body = response.into_body();
    let caught = AssertUnwindSafe(body.frame()).catch_unwind().await;
    assert!(caught.is_err());
    drop(body);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:panic");
}

/// Its second poll does so.
async fn ending_of(
    status: u16,
    length: u64,
    second: fn() -> Result<&'static str, BoxError>,
) -> String {
    let telemetry = Telemetry::new();
    let answer = service_fn(move |_: Request<Body>| {
        let first = futures_util::stream::once(ready(Ok("chunk")));
        let second = futures_util::stream::once(async move { second() });
        let response = Response::builder()
            .status(status)
            .header("content-length", length)
            .body(Body::from_stream(first.chain(second)));
        ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let service = telemetry.server().layer(answer);
    let response = soon(service.oneshot(request(Method::GET))).await.unwrap();
    let mut body = response.into_body();
    soon(body.frame()).await.unwrap().unwrap();
    let _ = AssertUnwindSafe(body.frame()).catch_unwind().await;
    let [span] = telemetry.ended().await;
    ending(&span)
}

#[tokio::test]
async fn only_a_panic_changes_what_is_decided() {
    let panics = || panic!("of the body");
    let fails = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
    for (status, length, panicked, failed) in [
        (200, 9, "failed:panic", "failed:connection_reset"),
        // All bytes were there before.
        (200, 5, "failed:panic", "failed:connection_reset"),
        (503, 9, "failed:panic", "failed:503"),
    ] {
        assert_eq!(ending_of(status, length, panics).await, panicked);
        assert_eq!(ending_of(status, length, fails).await, failed);
    }
}

/// What a tunnel carries is no body: RFC 9110, 7.8 and 9.3.6. WebSockets begin by either: RFC 6455
/// and 8441.
#[tokio::test]
async fn a_tunnel_ends_the_span_with_the_head() {
    for for_axum in [true, false] {
        for (method, status, ended) in [
            (Method::CONNECT, 200, 1),
            (Method::CONNECT, 404, 0),
            (Method::GET, 101, 1),
            (Method::GET, 200, 0),
        ] {
            let telemetry = Telemetry::new();
            let (_sender, body) = channel();
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let mut response = Some(response);
            let tunnel = service_fn(move |_: Request<Body>| {
                ready(Ok::<_, Infallible>(response.take().unwrap()))
            });
            let request = request(method);
            let response = match for_axum {
                true => soon(telemetry.axum().layer(tunnel).oneshot(request)).await,
                false => {
                    let called = soon(telemetry.server().layer(tunnel).oneshot(request)).await;
                    called.map(|response| response.map(Body::new))
                }
            };
            assert_eq!(telemetry.count(), ended);
            drop(response.unwrap());
            let [span] = telemetry.ended().await;
            let expected = if ended == 1 { "complete" } else { "cancelled" };
            assert_eq!(ending(&span), expected);
        }
    }
}
