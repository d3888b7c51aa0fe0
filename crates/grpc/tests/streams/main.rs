//! What is counted of streams: chunks, bytes and times of responses, and messages either way.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod compressed;
mod messages;
mod plain;
mod summary;
mod web;

use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_testkit::span_log::{SpanLog, text};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

type Frames = BoxStream<'static, Result<Frame<Bytes>, Status>>;

/// A message of this many bytes, with its prefix.
fn message(len: u32) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(len.to_be_bytes());
    // Bytes that would be long messages themselves.
    message.extend(std::iter::repeat_n(0x7f, len as usize));
    message
}

/// These chunks.
fn chunks(chunks: impl IntoIterator<Item = Vec<u8>>) -> Frames {
    let chunks: Vec<_> = chunks
        .into_iter()
        .map(|data| Ok(Frame::data(data.into())))
        .collect();
    stream::iter(chunks).boxed()
}

/// The trailers of a call that succeeded.
fn ok() -> Frames {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    stream::iter([Ok(Frame::trailers(trailers))]).boxed()
}

/// Calls a handler that reads `read` frames of the request, all by default, and answers with
/// these; gives the response and where its spans go.
async fn call(
    semantics: Grpc,
    request: Frames,
    read: Option<usize>,
    response: Frames,
) -> (
    SpanLog,
    Response<impl http_body::Body<Data = Bytes, Error = Status> + Unpin>,
) {
    let (log, response) = start(semantics, request, read, response);
    (log, response.await.map(Box::pin))
}

/// The same, before the response.
fn start(
    semantics: Grpc,
    request: Frames,
    read: Option<usize>,
    response: Frames,
) -> (
    SpanLog,
    impl Future<Output = Response<impl http_body::Body<Data = Bytes, Error = Status>>>,
) {
    let log = SpanLog::default();
    let provider = log.provider();
    let response = std::sync::Mutex::new(Some(response));
    let answer = service_fn(move |request: Request<Body>| {
        let response = response.lock().unwrap().take().unwrap();
        async move {
            let mut body = request.into_body();
            let mut left = read.unwrap_or(usize::MAX);
            while left > 0 && body.frame().await.is_some() {
                left -= 1;
            }
            Ok::<_, Infallible>(grpc(Body::new(StreamBody::new(response))))
        }
    });
    let server = ServerLayer::with_semantics(semantics.clone())
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());
    let client = ClientLayer::with_semantics(semantics)
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());
    let service = client.layer(server.layer(answer));
    let request = Request::post("http://backend:8080/test.Streams/Call")
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(request)));
    let response = service.oneshot(request.unwrap());
    (log, async { response.await.unwrap() })
}

/// A response that is gRPC.
fn grpc(body: Body) -> Response<Body> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(body).unwrap()
}

/// The client's and the server's span.
async fn ended(log: &SpanLog) -> [SpanData; 2] {
    let mut spans = log.ended::<2>().await;
    spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
    spans
}

/// How many messages were sent either way, by the span.
fn counts(span: &SpanData) -> [Option<i64>; 2] {
    [
        "dynamo_trace.rpc.request.messages",
        "dynamo_trace.rpc.response.messages",
    ]
    .map(|key| text(span, key).map(|count| count.parse().unwrap()))
}
