//! How many allocations a layer adds to a request, over the bare router.
//!
//! Three of them are axum's, for any layer; two more for one that is not of its own kind: the
//! copy of the layer, and the box of a body that is not its own.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use dynamo_trace_http::ServerLayer;
use futures_util::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::Service;

const OF_AXUM: u64 = 5;

fn router() -> Router {
    Router::new().route("/v1/models/{id}", get(async || r#"{"id":"42"}"#))
}

fn request(flags: &str) -> Request<Body> {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let request = Request::get("/v1/models/42")
        .header("host", "api.example.com:8080")
        .header("user-agent", "test/1.0")
        .header("traceparent", format!("00-{ids}-{flags}"));
    request.body(Body::empty()).unwrap()
}

/// The allocations of one request, after others have made what is made once.
fn allocations(mut app: Router, flags: &str) -> u64 {
    let mut run = || {
        let request = request(flags);
        let info = measure(|| {
            let response = app.call(request).now_or_never().unwrap().unwrap();
            response
                .into_body()
                .collect()
                .now_or_never()
                .unwrap()
                .unwrap();
        });
        info.count_total
    };
    (0..3).map(|_| run()).min().unwrap_or_default()
}

fn added(layer: ServerLayer, flags: &str) -> u64 {
    allocations(router().layer(layer), flags) - allocations(router(), flags)
}

fn with_sdk() -> ServerLayer {
    ServerLayer::new().with_tracer_provider(&SdkTracerProvider::builder().build())
}

#[test]
fn without_an_sdk_the_context_is_all() {
    assert!(added(ServerLayer::new(), "01") <= OF_AXUM + 1);
}

#[test]
fn below_an_unsampled_parent_there_are_two_contexts() {
    assert!(added(with_sdk(), "00") <= OF_AXUM + 2);
}

#[test]
fn a_recorded_span_is_its_attributes_and_what_holds_them() {
    assert!(added(with_sdk(), "01") <= OF_AXUM + 7);
}
