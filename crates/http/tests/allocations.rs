//! How many allocations a layer adds to a request, over the bare router. Of each, three are the
//! router's own, for any layer.
//!
//! One test: what is global changes on the way.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use dynamo_trace_core::{Instrumentation, Propagation};
use dynamo_trace_http::axum::ServerLayer;
use futures_util::{FutureExt, stream};
use http::Request;
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::convert::Infallible;
use tower::Service;

const CHUNKS: usize = 1000;

fn router() -> Router {
    let tokens = async || {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(b"data: token"));
        Body::from_stream(stream::iter(std::iter::repeat_n(chunk, CHUNKS)))
    };
    Router::new()
        .route("/v1/models/{id}", get(async || r#"{"id":"42"}"#))
        .route("/v1/tokens/{id}", get(tokens))
}

fn request(path: &str, flags: &str) -> Request<Body> {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let request = Request::get(path)
        .header("host", "api.example.com:8080")
        .header("user-agent", "test/1.0")
        .header("traceparent", format!("00-{ids}-{flags}"));
    request.body(Body::empty()).unwrap()
}

/// The allocations of one request, after others have made what is made once.
fn allocations(app: &mut Router, path: &str, flags: &str) -> u64 {
    let mut run = || {
        let request = request(path, flags);
        let info = measure(|| {
            let response = app.call(request).now_or_never().unwrap().unwrap();
            let mut body = response.into_body();
            while let Some(frame) = body.frame().now_or_never().unwrap() {
                frame.unwrap();
            }
        });
        info.count_total
    };
    (0..3).map(|_| run()).min().unwrap_or_default()
}

fn added(path: &str, flags: &str) -> u64 {
    let mut traced = router().layer(ServerLayer::new());
    allocations(&mut traced, path, flags) - allocations(&mut router(), path, flags)
}

/// Of a plain response, and of a streamed one, whose chunks cost none.
fn assert_added(flags: &str, plain: u64, streamed: u64) {
    assert_eq!(added("/v1/models/42", flags), plain, "plain, {flags}");
    assert_eq!(added("/v1/tokens/42", flags), streamed, "streamed, {flags}");
}

#[test]
fn a_request_costs_few_allocations_and_a_chunk_none() {
    // The context that passes through; around a streamed body, axum's box.
    assert_added("01", 4, 5);

    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .build();
    Instrumentation::set_global_tracer_provider(provider).unwrap();
    Propagation::w3c().set_global().unwrap();
    // Another context, with an id of its own.
    assert_added("00", 5, 6);
    // The span in its box, and what holds that; the attributes, and the path among them; the
    // call, and axum's box around the body.
    assert_added("01", 10, 10);
    // The random flag is kept beside only where the SDK would lose it.
    assert_added("03", 10, 10);
}
