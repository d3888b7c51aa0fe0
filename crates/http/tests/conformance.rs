//! The conformance suite, over HTTP/1.1 and HTTP/2: axum, and hyper-util's client.
#![cfg(feature = "axum")]
#![expect(
    clippy::unwrap_used,
    reason = "a harness that does not start fails its test"
)]

#[path = "spans/serve.rs"]
mod serve;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use dynamo_trace_http::axum::ServerLayer;
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_http::{ClientLayer, Http};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serve::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt};

type Plain = HyperClient<HttpConnector, Full<Bytes>>;

struct Over<const HTTP2: bool> {
    server: Server,
    client: Trace<Plain, ClientLayer<Custom<Http>>>,
}

impl<const HTTP2: bool> Harness for Over<HTTP2> {
    const TRAITS: Traits = Traits {
        replies: true,
        // HTTP/2 has lowercase names only.
        case_insensitive: !HTTP2,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let server = ServerLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation.clone());
        let app = Router::new()
            .route("/work", post(run))
            .with_state(work)
            .layer(server);
        let client = ClientLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation);
        Self {
            server: Server::start(app).await,
            client: client.layer(plain(HTTP2)),
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let request = Request::post(self.url()).body(Full::new(payload.clone()));
        let response = self.client.clone().oneshot(request.unwrap()).await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        let reply = response.collect().await.map_err(|e| e.to_string())?;
        match (status, reply.to_bytes()) {
            (StatusCode::OK, reply) if reply == payload => Ok(()),
            (status, reply) => Err(format!("{status}: {reply:?}")),
        }
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let status = if HTTP2 {
            self.send_frames(fields, payload).await?
        } else {
            self.send_bytes(fields, payload).await
        };
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::BAD_REQUEST => Err(RawError::Unrepresentable),
            status => Err(RawError::Failed(status.to_string())),
        }
    }

    async fn stop(self) {}
}

async fn run(State(work): State<Work>, payload: Bytes) -> impl IntoResponse {
    match work.run(payload).await {
        Ok(reply) => reply.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn plain(http2: bool) -> Plain {
    HyperClient::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

impl<const HTTP2: bool> Over<HTTP2> {
    fn url(&self) -> String {
        format!("http://{}/work", self.server.addr)
    }

    /// Names are lowercase in HTTP/2.
    async fn send_frames(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<StatusCode, RawError> {
        let mut request = Request::post(self.url()).body(Full::new(payload)).unwrap();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(&value).map_err(|_| RawError::Unrepresentable)?;
            request.headers_mut().append(name, value);
        }
        let response = plain(true).request(request).await;
        let response = response.map_err(|error| RawError::Failed(error.to_string()))?;
        Ok(response.status())
    }

    /// Writes the request byte by byte as given.
    async fn send_bytes(&self, fields: Vec<(String, Vec<u8>)>, payload: Bytes) -> StatusCode {
        let length = payload.len();
        let mut request = format!(
            "POST /work HTTP/1.1\r\nhost: work\r\nconnection: close\r\ncontent-length: {length}\r\n"
        )
        .into_bytes();
        for (name, value) in fields {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(&value);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&payload);
        let mut stream = TcpStream::connect(self.server.addr).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        let status = response.strip_prefix(b"HTTP/1.1 ").unwrap();
        StatusCode::from_bytes(status.first_chunk::<3>().unwrap()).unwrap()
    }
}

mod http1 {
    dynamo_trace_testkit::conformance_tests!(super::Over<false>);
}

mod http2 {
    dynamo_trace_testkit::conformance_tests!(super::Over<true>);
}
