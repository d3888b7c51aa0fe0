//! tonic's routes within the layers: a unary call of the standard health service.

use bytes::Bytes;
use dynamo_trace_grpc::ServerLayer;
use http::{Request, Version};
use http_body_util::Full;
use opentelemetry_instrumentation_tower::http::server::Layer as InstrumentationLayer;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::server::health_reporter;
use tonic_tracing_opentelemetry::middleware::server::OtelGrpcLayer;
use tower::Layer;
use tower_otel::trace::GrpcLayer;
use tracing::Level;

use crate::calls::{Exchange, calls};
use crate::contender::{Contender, Suite};
use crate::telemetry::{Mode, Needs};

pub(crate) const UNARY: Suite = Suite {
    name: "gRPC server (tonic)",
    decimals: 0,
    contenders: &CONTENDERS,
    exchange,
};

const CONTENDERS: [Contender; 5] = [
    Contender::new("bare routes", Needs::Nothing, |it| {
        calls(routes(), it, body)
    }),
    Contender::new("dynamo-trace", Needs::OpenTelemetry, |it| {
        calls(ServerLayer::new().layer(routes()), it, body)
    }),
    Contender::new("tonic-tracing-opentelemetry", Needs::Tracing, |it| {
        calls(OtelGrpcLayer::default().layer(routes()), it, body)
    }),
    Contender::new(
        "opentelemetry-instrumentation-tower",
        Needs::OpenTelemetry,
        |it| calls(InstrumentationLayer::new().layer(routes()), it, body),
    ),
    Contender::new("tower-otel", Needs::Tracing, |it| {
        calls(GrpcLayer::server(Level::INFO).layer(routes()), it, body)
    }),
];

fn routes() -> Routes {
    let (_, health) = health_reporter();
    Routes::new(health).prepare()
}

fn body(bytes: Bytes) -> Body {
    Body::new(Full::new(bytes))
}

fn exchange(mode: Mode) -> http::Result<Exchange> {
    // Not compressed, and an empty message: it asks for the server as a whole.
    const MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
    let request = Request::post("http://api.example.com:50051/grpc.health.v1.Health/Check")
        .version(Version::HTTP_2)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("user-agent", "bench/1.0 tonic/0.14")
        .header("traceparent", mode.traceparent())
        .body(MESSAGE)?;
    Ok(Exchange { request, chunks: 1 })
}
