//! Single services, and services that are nobody's business.

use crate::echo::{Echo, listen};
use crate::telemetry::{Telemetry, ending};
use crate::{Kind, request, scripted, soon};
use dynamo_trace_grpc::{ServerLayer, is_infrastructure};
use dynamo_trace_http::engine::Trace;
use dynamo_trace_testkit::vectors::TRACEPARENT;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, ServiceExt, service_fn};

fn channel(addr: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{addr}"))
        .unwrap()
        .connect_lazy()
}

/// Asks whether the server is well.
async fn check(addr: SocketAddr) {
    let mut client = HealthClient::new(channel(addr));
    let checked = client.check(HealthCheckRequest::default());
    soon(checked).await.unwrap();
}

/// Calls with no span of the client.
async fn call(addr: SocketAddr, telemetry: &Telemetry) {
    let untraced = telemetry.client().with_filter(|_| false);
    let mut client = tonic::client::Grpc::new(untraced.layer(channel(addr)));
    let replies = Kind::Both.call(&mut client, request("send")).await;
    assert_eq!(replies.unwrap(), 1);
}

#[tokio::test]
async fn a_single_service_keeps_its_name_and_is_traced_alone() {
    assert_eq!(<Trace<Echo, ServerLayer> as NamedService>::NAME, Echo::NAME);
    let telemetry = Telemetry::new();
    let (addr, incoming) = listen().await;
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .add_service(telemetry.server().layer(scripted(Arc::default())))
        .add_service(health)
        .serve_with_incoming(incoming);
    let serving = tokio::spawn(server);
    check(addr).await;
    call(addr, &telemetry).await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "test.Echo/Both");
    assert_eq!(ending(&span), "complete");
    serving.abort();
}

#[tokio::test]
async fn health_checks_have_no_span_where_they_are_filtered_out() {
    let telemetry = Telemetry::new();
    let (addr, incoming) = listen().await;
    let (_reporter, health) = tonic_health::server::health_reporter();
    let layer = telemetry
        .server()
        .with_filter(|request| !is_infrastructure(request));
    let server = Server::builder()
        .layer(layer)
        .add_service(scripted(Arc::default()))
        .add_service(health)
        .serve_with_incoming(incoming);
    let serving = tokio::spawn(server);
    check(addr).await;
    call(addr, &telemetry).await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "test.Echo/Both");
    serving.abort();
}

#[tokio::test]
async fn what_is_filtered_out_keeps_the_context() {
    let telemetry = Telemetry::new();
    let layer = telemetry
        .server()
        .with_filter(|request| !is_infrastructure(request));
    let handler = service_fn(async |_: http::Request<Body>| {
        let mut response = http::Response::new(Body::empty());
        response.extensions_mut().insert(Context::current());
        Ok::<_, Infallible>(response)
    });
    for (path, is_filtered) in [
        ("/grpc.health.v1.Health/Check", true),
        ("/grpc.health.v1.Health/Watch", true),
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            true,
        ),
        (
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            true,
        ),
        ("/grpc.healthy.Check/Up", false),
        ("/app.grpc.health.v1.Health/Check", false),
    ] {
        let call = http::Request::post(format!("http://localhost{path}"))
            .header("traceparent", TRACEPARENT)
            .body(Body::empty());
        let service = layer.clone().layer(handler);
        let response = service.oneshot(call.unwrap()).await.unwrap();
        let context = response.extensions().get::<Context>().unwrap();
        let span = context.span().span_context().clone();
        assert!(TRACEPARENT.contains(&span.trace_id().to_string()), "{path}");
        assert_eq!(span.is_remote(), is_filtered, "{path}");
    }
    assert_eq!(telemetry.all_ended(2).await.len(), 2);
}
