//! What stands on spans, as text: one test for each rule of the HTTP semantic conventions.
#![cfg(feature = "axum")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

mod current;
mod headers;
mod host;
mod lazily;
mod lines;
mod methods;
mod names;
mod peers;
mod plain;
mod protocol;
mod proxies;
mod redaction;
mod resend;
mod respond;
mod routes;
mod sampler;
mod secrets;
#[path = "../spans/serve.rs"]
mod serve;
mod shown;
mod sizes;
mod status;
mod streamed;
#[path = "../spans/telemetry.rs"]
mod telemetry;
mod told;
mod trust_by;
mod unrecorded;

use axum::body::Body;
use bytes::Bytes;
use dynamo_trace_http::engine::{Custom, TraceLayer};
use dynamo_trace_http::{Http, Tower, engine::side};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry::Telemetry;
use tower::{Layer, ServiceExt, service_fn};

type Server<F = Tower> = TraceLayer<side::Server, Http<F>, Custom<Http<F>>>;
type ClientLayer = TraceLayer<side::Client, Http, Custom<Http>>;

/// The span of a server that gives this response.
async fn serve(
    options: impl FnOnce(Server) -> Server,
    request: Request<Body>,
    response: Response<Body>,
) -> SpanData {
    served(options, request, response).await.0
}

/// The span of a server, and the response that it gave.
async fn served(
    options: impl FnOnce(Server) -> Server,
    request: Request<Body>,
    response: Response<Body>,
) -> (SpanData, http::response::Parts) {
    let telemetry = Telemetry::new();
    let service = options(telemetry.server()).layer(answer(response));
    let response = soon(service.oneshot(request)).await.unwrap();
    let (head, body) = response.into_parts();
    soon(body.collect()).await.unwrap();
    let [span] = telemetry.ended().await;
    (span, head)
}

/// The span of a client that gets this response.
async fn call(
    options: impl FnOnce(ClientLayer) -> ClientLayer,
    request: Request<Body>,
    response: Response<Body>,
) -> SpanData {
    let telemetry = Telemetry::new();
    let client = options(telemetry.client()).layer(answer(response));
    let response = soon(client.oneshot(request)).await.unwrap();
    soon(response.into_body().collect()).await.unwrap();
    let [span] = telemetry.ended().await;
    span
}

/// A service that gives one response.
fn answer(
    response: Response<Body>,
) -> impl tower::Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone {
    let response = Arc::new(Mutex::new(Some(response)));
    service_fn(move |_| {
        let response = response.lock().unwrap().take();
        std::future::ready(Ok(response.unwrap_or_default()))
    })
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

fn status(status: u16) -> Response<Body> {
    let response = Response::builder().status(status);
    response.body(Body::empty()).unwrap()
}

/// A client of hyper-util's, over a socket.
fn hyper(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
