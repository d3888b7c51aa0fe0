//! Spans over real sockets: names, kinds, parents, attributes and endings.
#![cfg(feature = "axum")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod bodies;
mod cancellation;
mod client;
mod concurrency;
mod context;
mod dropped;
mod endings;
mod exact;
mod failures;
mod filter;
mod give_up;
mod routes;
mod serve;
mod telemetry;
mod trust;
mod wrapping;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serve::Server;
use std::time::Duration;
use telemetry::Telemetry;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// HTTP/1.1 and HTTP/2.
const VERSIONS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn client(self) -> Client<HttpConnector, Full<Bytes>> {
        Client::builder(TokioExecutor::new())
            .http2_only(self == Self::Http2)
            .build_http()
    }

    /// Gives the response head; its body is still to be read.
    async fn send(self, server: &Server, method: Method, path: &str) -> Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", server.addr))
            .body(Full::default());
        soon(self.client().request(request.unwrap())).await.unwrap()
    }

    /// Reads the whole response.
    async fn get(self, server: &Server, path: &str) -> Bytes {
        let response = self.send(server, Method::GET, path).await;
        soon(response.collect()).await.unwrap().to_bytes()
    }
}

/// A body that is sent chunk by chunk.
fn channel() -> (http_body_util::channel::Sender<Bytes, BoxError>, Body) {
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    (sender, Body::new(body))
}

/// A body of these frames, which does not know that it is at its end until it is polled for it.
fn frames<const N: usize>(frames: [Result<Frame<Bytes>, BoxError>; N]) -> Body {
    let frames = futures_util::stream::iter(frames);
    Body::new(http_body_util::StreamBody::new(frames))
}

fn data(data: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(data.as_bytes())))
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
