//! Spans of `tracing`, recorded by `tracing-opentelemetry`, in one tree with those of the layers.
//!
//! Subscribers are scoped to a thread, and with it to the test that runs there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

mod calls;
#[path = "../spans/serve.rs"]
mod serve;
mod servers;
#[path = "../spans/telemetry.rs"]
mod telemetry;
mod threads;

use bytes::Bytes;
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_http::{ClientLayer, Http};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::trace::{SdkTracer, SpanData};
use serve::Server;
use std::convert::Infallible;
use std::time::Duration;
use telemetry::Telemetry;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Instrument, info_span};
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

/// A client of a peer that gives way once, and gives the headers back that it was sent.
fn echo(
    telemetry: &Telemetry,
) -> BoxCloneSyncService<Request<()>, Response<Full<Bytes>>, Infallible> {
    let echo = service_fn(async |request: Request<()>| {
        tokio::task::yield_now().await;
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    });
    let client = telemetry.client().layer(echo);
    let plain = client.map_response(|response| response.map(|_| Full::default()));
    BoxCloneSyncService::new(plain)
}

/// A server that calls on, in a span `work` of `tracing`, and tells which headers it sent.
fn relay(telemetry: &Telemetry) -> BoxCloneSyncService<Request<()>, HeaderMap, Infallible> {
    let echo = echo(telemetry);
    let relay = service_fn(move |_: Request<()>| {
        let echo = echo.clone();
        let work = async {
            tokio::task::yield_now().await;
            let response = echo.oneshot(Request::new(())).await;
            tokio::task::yield_now().await;
            info_span!("last").in_scope(|| ());
            response
        };
        work.instrument(info_span!("work"))
    });
    let server = telemetry.server().layer(relay);
    BoxCloneSyncService::new(server.map_response(|response| response.headers().clone()))
}

/// The one span of this name.
fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    let mut spans = spans.iter().filter(|span| span.name == name);
    let span = spans.next().unwrap();
    assert!(spans.next().is_none(), "two are named {name}");
    span
}

/// The one span of this kind.
fn of_kind(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    let mut spans = spans.iter().filter(|span| span.span_kind == kind);
    let span = spans.next().unwrap();
    assert!(spans.next().is_none(), "two are {kind:?}");
    span
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
