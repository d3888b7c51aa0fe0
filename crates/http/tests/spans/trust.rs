//! How far a server believes its callers.

use crate::Telemetry;
use crate::telemetry::assert_child;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use dynamo_trace_core::Trust;
use dynamo_trace_http::{ClientLayer, ServerLayer};
use http::{HeaderMap, Request};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

/// The span of a request from a caller with baggage, and that baggage in the handler.
async fn record(trust: Trust) -> (SpanData, Vec<String>) {
    let telemetry = Telemetry::new();
    let seen = Arc::new(Mutex::new(None));
    let handler = {
        let seen = seen.clone();
        async move || {
            let context = Context::current();
            let baggage = context.baggage().iter();
            let keys = baggage.map(|(key, _)| key.to_string()).collect();
            let span = context.span().span_context().clone();
            *seen.lock().unwrap() = Some((span, keys));
        }
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(telemetry.server().with_trust(trust));
    let request = Request::get("/")
        .header("traceparent", format!("00-{TRACE_ID}-{SPAN_ID}-01"))
        .header("baggage", "tenant=t")
        .body(Body::empty());
    app.oneshot(request.unwrap()).await.unwrap();
    let [span] = telemetry.ended().await;
    let seen = seen.lock().unwrap().take();
    let (current, keys): (SpanContext, Vec<String>) = seen.unwrap();
    assert_eq!(current, span.span_context, "in the handler");
    (span, keys)
}

fn trace_id(span: &SpanData) -> String {
    span.span_context.trace_id().to_string()
}

#[tokio::test]
async fn a_trusted_caller_is_the_parent() {
    let (span, baggage) = record(Trust::trusted()).await;
    let link = span.links.iter().count();
    assert_eq!(trace_id(&span), TRACE_ID);
    assert_eq!(span.parent_span_id.to_string(), SPAN_ID);
    assert!(span.parent_span_is_remote);
    assert_eq!((link, baggage), (0, vec!["tenant".to_owned()]));
}

#[tokio::test]
async fn a_linked_caller_is_linked() {
    let (span, baggage) = record(Trust::linked()).await;
    assert_ne!(trace_id(&span), TRACE_ID);
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    let links: Vec<_> = span.links.iter().map(|link| &link.span_context).collect();
    let [caller] = links[..] else {
        panic!("not one link: {links:?}");
    };
    assert_eq!(caller.trace_id().to_string(), TRACE_ID);
    assert_eq!(caller.span_id().to_string(), SPAN_ID);
    assert!(baggage.is_empty());
    let (_, baggage) = record(Trust::linked().baggage_keys(["tenant"])).await;
    assert_eq!(baggage, ["tenant"]);
}

#[tokio::test]
async fn an_ignored_caller_leaves_nothing() {
    let (span, baggage) = record(Trust::ignored()).await;
    assert_ne!(trace_id(&span), TRACE_ID);
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(span.links.iter().count(), 0);
    assert!(baggage.is_empty());
}

#[tokio::test]
async fn without_headers_the_current_span_is_the_parent() {
    let telemetry = Telemetry::new();
    let ambient = telemetry.caller();
    let app = Router::new()
        .route("/", get(async || ()))
        .layer(telemetry.axum());
    let called = app.oneshot(Request::new(Body::empty()));
    opentelemetry::trace::FutureExt::with_context(called, ambient.clone())
        .await
        .unwrap();
    ambient.span().end();
    let [span, _] = telemetry.ended().await;
    assert_child(&span, ambient.span().span_context());
}

/// The headers that arrive behind a proxy that copies those of its caller, and has no SDK.
async fn forwarded(trust: Trust) -> HeaderMap {
    let none = opentelemetry::trace::noop::NoopTracerProvider::new();
    let upstream = service_fn(async |request: Request<Body>| {
        let mut response = http::Response::new(Body::empty());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    });
    let client = ClientLayer::new().with_tracer_provider(&none);
    let server = ServerLayer::new().with_tracer_provider(&none);
    let proxy = server.with_trust(trust).layer(client.layer(upstream));
    let request = Request::get("http://example.com/")
        .header("traceparent", format!("00-{TRACE_ID}-{SPAN_ID}-01"))
        .header("tracestate", "a=1")
        .header("baggage", "tenant=t,secret=s")
        .header("x-own", "1")
        .body(Body::empty());
    let response = proxy.oneshot(request.unwrap()).await.unwrap();
    response.headers().clone()
}

#[tokio::test]
async fn what_is_refused_is_not_forwarded() {
    for trust in [Trust::linked(), Trust::ignored()] {
        let headers = forwarded(trust.clone()).await;
        let names: Vec<_> = headers.keys().collect();
        assert_eq!(names, ["x-own"], "{trust:?}");
    }
    let headers = forwarded(Trust::linked().baggage_keys(["tenant"])).await;
    assert_eq!(headers["baggage"], "tenant=t");
    assert!(!headers.contains_key("traceparent"), "{headers:?}");
    let headers = forwarded(Trust::trusted().max_bytes(8)).await;
    assert!(headers.contains_key("traceparent"), "{headers:?}");
    assert!(!headers.contains_key("baggage"), "{headers:?}");
}

#[tokio::test]
async fn what_a_trusted_caller_sends_is_forwarded() {
    let headers = forwarded(Trust::trusted()).await;
    assert_eq!(headers.len(), 4, "{headers:?}");
}
