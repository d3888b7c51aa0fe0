//! Interceptors and layers for the same call: the layer's span is the one that counts.

use crate::{caller, client, server};
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, ServerLayer};
use dynamo_trace_testkit::span_log::{SpanLog, assert_child};
use dynamo_trace_testkit::vectors::TRACEPARENT;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{FutureExt, Tracer, TracerProvider};
use std::convert::Infallible;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn inside_of_a_layer_the_context_is_that_of_its_span() {
    let log = SpanLog::default();
    let provider = log.provider();
    let handler = service_fn(async |request: http::Request<Body>| {
        let context = request.extensions().get::<Context>().unwrap().clone();
        let mut response = http::Response::new(Body::empty());
        response.extensions_mut().insert(context);
        Ok::<_, Infallible>(response)
    });
    let layer = ServerLayer::new()
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());
    let service = layer.layer(InterceptedService::new(handler, server()));
    let call = http::Request::post("http://localhost/test.Echo/Unary")
        .header("traceparent", TRACEPARENT)
        .header("baggage", "k=v")
        .body(Body::empty());
    let response = service.oneshot(call.unwrap()).await.unwrap();
    let context = response.extensions().get::<Context>().unwrap().clone();
    drop(response);
    assert_eq!(context.baggage().len(), 1);
    provider.tracer("test").start_with_context("work", &context);
    let [server, work] = {
        let mut spans = log.ended::<2>().await;
        spans.sort_by_key(|span| span.name == "work");
        spans
    };
    assert_child(&work, &server.span_context);
}

#[tokio::test]
async fn a_client_sends_the_span_of_the_layer_in_either_order() {
    for layer_is_outside in [true, false] {
        let log = SpanLog::default();
        let layer = ClientLayer::new()
            .with_tracer_provider(&log.provider())
            .with_propagation(Propagation::w3c());
        // Answers with the metadata of the request.
        let mirror = service_fn(async |request: http::Request<Body>| {
            let mut response = http::Response::new(Body::empty());
            *response.headers_mut() = request.headers().clone();
            Ok::<_, Infallible>(response)
        });
        let call = http::Request::post("http://localhost/test.Echo/Unary").body(Body::empty());
        let (call, caller) = (call.unwrap(), caller(TRACEPARENT, "k=v"));
        let headers = if layer_is_outside {
            let service = layer.layer(InterceptedService::new(mirror, client()));
            let response = service.oneshot(call).with_context(caller).await;
            response.unwrap().headers().clone()
        } else {
            let service = InterceptedService::new(layer.layer(mirror), client());
            let response = service.oneshot(call).with_context(caller).await;
            response.unwrap().headers().clone()
        };
        let [span] = log.ended().await;
        let (trace_id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
        let sent: Vec<_> = headers.get_all("traceparent").iter().collect();
        assert_eq!(sent, [&format!("00-{trace_id}-{span_id}-01")]);
        assert!(TRACEPARENT.contains(&trace_id.to_string()));
    }
}
