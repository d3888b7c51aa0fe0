//! The middleware for reqwest's clients, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

mod bodies;
mod conformance;
mod context;
mod failures;
mod request;
mod resends;
#[path = "../spans/serve.rs"]
mod serve;
mod spans;

use axum::Router;
use axum::body::Body;
use axum::routing::MethodRouter;
use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_http::engine::Custom;
use dynamo_trace_http::reqwest::ClientMiddleware;
use dynamo_trace_http::{ClientLayer, Http, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
use http_body_util::Channel;
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serve::Server;
use std::ops::Deref;
use std::time::Duration;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where the spans of one test go.
struct Telemetry {
    log: SpanLog,
    provider: SdkTracerProvider,
}

impl Telemetry {
    fn new() -> Self {
        let log = SpanLog::default();
        let provider = log.provider();
        Self { log, provider }
    }

    fn layer(&self) -> ClientLayer<Custom<Http>> {
        ClientLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    fn server(&self) -> ServerLayer<Custom<Http>> {
        ServerLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    fn client(&self) -> ClientWithMiddleware {
        traced(self.layer())
    }

    /// A span of the caller's own, which counts when it ends.
    fn caller(&self) -> Context {
        Context::new().with_span(self.provider.tracer("test").start("caller"))
    }
}

impl Deref for Telemetry {
    type Target = SpanLog;

    fn deref(&self) -> &SpanLog {
        &self.log
    }
}

fn traced(layer: ClientLayer<Custom<Http>>) -> ClientWithMiddleware {
    ClientBuilder::new(plain())
        .with(ClientMiddleware::from(layer))
        .build()
}

/// Whatever proxies the environment names.
fn plain() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.build().unwrap()
}

async fn serve(path: &str, route: MethodRouter) -> Server {
    Server::start(Router::new().route(path, route)).await
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.addr)
}

/// A body that is sent chunk by chunk.
fn channel() -> (http_body_util::channel::Sender<Bytes, BoxError>, Body) {
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    (sender, Body::new(body))
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
