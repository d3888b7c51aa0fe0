//! Which statuses are errors, of whom, and what `error.type` says of them.

use crate::shown::shown;
use crate::telemetry::ending;
use crate::{Telemetry, call, get, serve, soon, status};
use axum::body::Body;
use http::{Request, Response};
use opentelemetry::trace::Status;
use std::future::pending;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn every_class_of_statuses() {
    let failed = |code: u16| format!("failed:{code}");
    for code in [
        101, 103, 200, 201, 204, 299, 301, 304, 400, 401, 404, 418, 429, 499, 500, 502, 503, 504,
        599, 600, 999,
    ] {
        let complete = || "complete".to_owned();
        let (server, client) = match code {
            ..400 => (complete(), complete()),
            400..500 => (complete(), failed(code)),
            // Those of no class are taken for 5xx: RFC 9110, 15.
            500.. => (failed(code), failed(code)),
        };
        let request = || get("http://example.com/");
        let span = serve(|layer| layer, request(), status(code)).await;
        assert_eq!(ending(&span), server, "server, {code}");
        assert!(shown(&span).contains(&format!("http.response.status_code = {code}\n")));
        let span = call(|layer| layer, request(), status(code)).await;
        assert_eq!(ending(&span), client, "client, {code}");
        assert!(shown(&span).contains(&format!("http.response.status_code = {code}\n")));
    }
}

#[tokio::test]
async fn an_error_has_no_description() {
    for span in [
        serve(|layer| layer, get("/"), status(500)).await,
        call(|layer| layer, get("/"), status(404)).await,
    ] {
        assert_eq!(span.status, Status::error(""));
    }
}

#[tokio::test]
async fn an_error_without_a_response_has_its_type_and_no_status_code() {
    let telemetry = Telemetry::new();
    let fails = service_fn(async |_: Request<Body>| {
        let refused = std::io::ErrorKind::ConnectionRefused;
        Err::<Response<Body>, _>(std::io::Error::from(refused))
    });
    let request = get("http://example.com:81/");
    let client = telemetry.client().layer(fails);
    soon(client.oneshot(request)).await.unwrap_err();
    let [span] = telemetry.ended().await;
    let expected = r#"Client GET error
dynamo_trace.ending = "failed"
error.type = "connection_refused"
http.request.method = "GET"
server.address = "example.com"
server.port = 81
url.full = "http://example.com:81/"
"#;
    assert_eq!(shown(&span), expected);
}

#[tokio::test]
async fn a_call_that_its_caller_gives_up_is_no_error() {
    let telemetry = Telemetry::new();
    let hangs = service_fn(async |_: Request<Body>| {
        pending::<Result<Response<Body>, std::convert::Infallible>>().await
    });
    let client = telemetry.client().layer(hangs);
    let server = telemetry.server().layer(hangs);
    let mut calls = Box::pin(async {
        tokio::join!(
            client.oneshot(get("http://example.com/")),
            server.oneshot(get("/"))
        )
    });
    assert!(futures_util::poll!(&mut calls).is_pending());
    drop(calls);
    let spans: [_; 2] = telemetry.ended().await;
    let expected = r#"Client GET
dynamo_trace.ending = "cancelled"
http.request.method = "GET"
server.address = "example.com"
server.port = 80
url.full = "http://example.com/"
"#;
    assert_eq!(shown(&spans[0]), expected);
    let expected = r#"Server GET
dynamo_trace.ending = "cancelled"
http.request.method = "GET"
network.protocol.version = "1.1"
url.path = "/"
url.scheme = "http"
"#;
    assert_eq!(shown(&spans[1]), expected);
}
