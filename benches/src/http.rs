//! An axum router within the layers.

use std::convert::Infallible;
use std::iter;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use bytes::Bytes;
use dynamo_trace_http::axum::ServerLayer;
use futures_util::stream;
use http::Request;
use opentelemetry_instrumentation_tower::http::server::Layer as InstrumentationLayer;
use tower_otel::trace::HttpLayer;
use tracing::Level;

use crate::calls::{Batch, Exchange, calls};
use crate::contender::{Contender, Suite};
use crate::telemetry::{Mode, Needs};

/// In a streamed response.
pub(crate) const CHUNKS: usize = 1000;
const CHUNK: &[u8; 32] = b"data: {\"token\":\"32 bytes long.\"}";

pub(crate) const UNARY: Suite = Suite {
    name: "HTTP server (axum)",
    decimals: 0,
    contenders: &CONTENDERS,
    exchange: |mode| exchange("/v1/models/42", 1, mode),
};

pub(crate) const STREAM: Suite = Suite {
    name: "chunk of a streamed response",
    decimals: 1,
    contenders: &CONTENDERS,
    exchange: |mode| exchange("/v1/tokens/42", CHUNKS, mode),
};

const CONTENDERS: [Contender; 5] = [
    Contender::new("bare router", Needs::Nothing, |it| batch(router(), it)),
    Contender::new("dynamo-trace", Needs::OpenTelemetry, |it| {
        batch(router().layer(ServerLayer::new()), it)
    }),
    Contender::new("axum-tracing-opentelemetry", Needs::Tracing, |it| {
        batch(router().layer(OtelAxumLayer::default()), it)
    }),
    Contender::new(
        "opentelemetry-instrumentation-tower",
        Needs::OpenTelemetry,
        |it| batch(router().layer(InstrumentationLayer::new()), it),
    ),
    Contender::new("tower-otel", Needs::Tracing, |it| {
        batch(router().layer(HttpLayer::server(Level::INFO)), it)
    }),
];

fn batch(router: Router, exchange: Exchange) -> Box<dyn Batch> {
    calls(router, exchange, Body::from)
}

fn router() -> Router {
    Router::new()
        .route("/v1/models/{id}", get(async || r#"{"id":"42"}"#))
        .route("/v1/tokens/{id}", get(tokens))
}

async fn tokens() -> Body {
    let chunk = Ok::<_, Infallible>(Bytes::from_static(CHUNK));
    Body::from_stream(stream::iter(iter::repeat_n(chunk, CHUNKS)))
}

fn exchange(path: &str, chunks: usize, mode: Mode) -> http::Result<Exchange> {
    let request = Request::get(path)
        .header("host", "api.example.com:8080")
        .header("user-agent", "bench/1.0")
        .header("accept", "application/json")
        .header("traceparent", mode.traceparent())
        .body(Bytes::new())?;
    Ok(Exchange { request, chunks })
}
