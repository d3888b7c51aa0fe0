//! How many allocations a layer adds to a request, over the bare router.
//!
//! Three of them are axum's, for any layer. Others are those of the SDK: the span, and what holds
//! it in the context; the global tracer adds another box.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use dynamo_trace_http::Http;
use dynamo_trace_http::axum::{Axum, ServerLayer};
use dynamo_trace_http::engine::Configured;
use futures_util::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::Service;

const OF_AXUM: u64 = 3;

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

fn added<C: Configured<Http<Axum>>>(layer: ServerLayer<C>, flags: &str) -> u64 {
    allocations(router().layer(layer), flags) - allocations(router(), flags)
}

/// The global provider, as a process has it; one test binary for each.
fn with_global_sdk() -> ServerLayer {
    opentelemetry::global::set_tracer_provider(SdkTracerProvider::builder().build());
    ServerLayer::new()
}

#[test]
fn without_an_sdk_the_context_is_all() {
    let provider = opentelemetry::trace::noop::NoopTracerProvider::new();
    let layer = ServerLayer::new().with_tracer_provider(&provider);
    // A layer with settings of its own is copied by the router.
    let settings = 1;
    assert!(added(layer, "01") <= OF_AXUM + 1 + settings);
}

#[test]
fn with_an_sdk() {
    let layer = with_global_sdk();
    // Two contexts, and the box of the global tracer.
    assert!(added(layer.clone(), "00") <= OF_AXUM + 3);
    assert!(added(layer, "01") <= OF_AXUM + 8);
}
