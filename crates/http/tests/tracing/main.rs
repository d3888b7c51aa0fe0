//! Spans of `tracing`, recorded by `tracing-opentelemetry`, in one tree with those of the layers.
//!
//! Subscribers are scoped to a thread, and with it to the test that runs there. Each has one:
//! what is off in the first thread that comes by stays off in others.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

mod calls;
mod relay;
#[path = "../spans/serve.rs"]
mod serve;
mod servers;
#[path = "../spans/telemetry.rs"]
mod telemetry;
mod threads;

use bytes::Bytes;
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_http::{ClientLayer, Http};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{SdkTracer, SpanData};
use relay::{echo, of_kind, relay};
use serve::Server;
use std::time::Duration;
use telemetry::Telemetry;
use tower::{Layer, ServiceExt};
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

type HyperClient = Client<HttpConnector, Full<Bytes>>;

/// What records the spans of `tracing`, as it is by default.
fn layer(telemetry: &Telemetry) -> OpenTelemetryLayer<Registry, SdkTracer> {
    tracing_opentelemetry::layer().with_tracer(telemetry.provider.tracer("app"))
}

/// What an application installs for the whole process.
fn dispatch(telemetry: &Telemetry) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(layer(telemetry)))
}

/// Installs it for this thread.
fn subscribe(telemetry: &Telemetry) -> DefaultGuard {
    set_default(tracing_subscriber::registry().with(layer(telemetry)))
}

/// A client over sockets.
fn client(telemetry: &Telemetry) -> Trace<HyperClient, ClientLayer<Custom<Http>>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    telemetry.client().layer(client)
}

fn request(server: &Server, path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("http://{}{path}", server.addr));
    request.body(Full::default()).unwrap()
}

/// Sends a request and reads the whole response.
async fn fetch(
    client: Trace<HyperClient, ClientLayer<Custom<Http>>>,
    request: Request<Full<Bytes>>,
) -> Bytes {
    let response = soon(client.oneshot(request)).await.unwrap();
    soon(response.collect()).await.unwrap().to_bytes()
}

/// The one span of this name.
fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    let mut spans = spans.iter().filter(|span| span.name == name);
    let span = spans.next().unwrap();
    assert!(spans.next().is_none(), "two are named {name}");
    span
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
