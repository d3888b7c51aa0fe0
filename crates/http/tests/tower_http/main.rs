//! The layers among those of tower-http and tower, inside and outside: one span, the right
//! ending, and for the client the response that it is due.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

#[macro_use]
mod stack;
mod clients;
mod compression;
mod cors;
mod limits;
mod pairs;
mod panics;
mod request_ids;
mod sensitive;
#[path = "../spans/serve.rs"]
mod serve;
#[path = "../spans/telemetry.rs"]
mod telemetry;
mod timeouts;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serve::Server;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;
use telemetry::Telemetry;

type BoxError = Box<dyn Error + Send + Sync>;
type Request = http::Request<Full<Bytes>>;

/// Worth compressing.
const CHUNK: &str = "token token token token token token token token ";
const CHUNKS: usize = 3;

/// A response whose body is made chunk by chunk.
async fn tokens() -> Response<Body> {
    let chunks = [Ok::<_, Infallible>(CHUNK); CHUNKS];
    Response::new(Body::from_stream(futures_util::stream::iter(chunks)))
}

/// No response at all.
async fn hang() -> Response<Body> {
    std::future::pending().await
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
