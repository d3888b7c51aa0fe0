//! Sizes of bodies, where they are asked for.

use crate::shown::of;
use crate::{ClientLayer, Server, Telemetry, call, get, serve, soon, status};
use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tower::{Layer, ServiceExt};

fn sizes(span: &SpanData) -> String {
    of(span, "http.request.body") + &of(span, "http.response.body")
}

/// Of this many bytes, and `content-length` says so.
fn sent(length: usize) -> Request<Body> {
    let mut request = get("http://example.com/");
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    request
}

fn chunks(chunks: &'static [&'static str]) -> Body {
    let chunks = chunks
        .iter()
        .map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())));
    Body::from_stream(futures_util::stream::iter(chunks))
}

const BOTH: &str = "http.request.body.size = 17\nhttp.response.body.size = 8\n";

#[tokio::test]
async fn a_server_records_both() {
    let layer = |layer: Server| layer.with_body_sizes();
    for body in [chunks(&["one", "three"]), Body::from("onethree")] {
        let span = serve(layer, sent(17), Response::new(body)).await;
        assert_eq!(sizes(&span), BOTH);
    }
    // Nobody says how long the request is, and the response is empty.
    let span = serve(layer, get("/"), status(200)).await;
    assert_eq!(sizes(&span), "http.response.body.size = 0\n");
}

#[tokio::test]
async fn a_client_records_what_it_reads() {
    let response = || Response::new(chunks(&["one", "three"]));
    let layer = |layer: ClientLayer| layer.with_body_sizes().with_body();
    let span = call(layer, sent(17), response()).await;
    assert_eq!(sizes(&span), BOTH);
    // The span has ended when the body is read.
    let layer = |layer: ClientLayer| layer.with_body_sizes();
    let span = call(layer, sent(17), response()).await;
    assert_eq!(sizes(&span), "http.request.body.size = 17\n");
}

#[tokio::test]
async fn a_response_that_is_given_up_counts_as_far_as_it_was_read() {
    let telemetry = Telemetry::new();
    let answer = crate::answer(Response::new(chunks(&["one", "three"])));
    let service = telemetry.server().with_body_sizes().layer(answer);
    let mut response = soon(service.oneshot(get("/"))).await.unwrap();
    soon(response.frame()).await.unwrap().unwrap();
    drop(response);
    let [span] = telemetry.ended().await;
    assert_eq!(sizes(&span), "http.response.body.size = 3\n");
}

#[tokio::test]
async fn nothing_is_recorded_unless_asked_for() {
    let response = || Response::new(chunks(&["one", "three"]));
    let span = serve(|layer| layer, sent(17), response()).await;
    assert_eq!(sizes(&span), "");
    let span = call(|layer| layer.with_body(), sent(17), response()).await;
    assert_eq!(sizes(&span), "");
}

#[tokio::test]
async fn a_length_that_is_none_is_not_recorded() {
    for length in ["", "-1", "+1", "1.0", "18446744073709551616", "a"] {
        let request = || {
            let mut request = sent(0);
            let length = length.parse().unwrap();
            request.headers_mut().insert(CONTENT_LENGTH, length);
            request
        };
        let layer = |layer: Server| layer.with_body_sizes();
        let span = serve(layer, request(), status(200)).await;
        assert_eq!(of(&span, "http.request.body"), "", "{length}");
        let layer = |layer: ClientLayer| layer.with_body_sizes();
        let span = call(layer, request(), status(200)).await;
        assert_eq!(of(&span, "http.request.body"), "", "{length}");
    }
}
