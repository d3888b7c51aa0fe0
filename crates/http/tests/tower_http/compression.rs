//! What is counted of a body that is compressed, and when its span ends.

use crate::stack::as_is;
use crate::telemetry::{Telemetry, attribute, ending};
use crate::{CHUNK, CHUNKS, Server, client, soon, tokens};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::Request;
use http_body_util::{BodyExt, Full};
use opentelemetry::Value;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;

fn size(span: &SpanData) -> usize {
    match attribute(span, "http.response.body.size") {
        Some(Value::I64(size)) => size.try_into().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn takes_gzip(server: &Server) -> Request<Full<Bytes>> {
    let request = Request::get(format!("http://{}/", server.addr));
    let request = request.header("accept-encoding", "gzip");
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn outside_of_ours_plain_bytes_are_counted() {
    let compression = CompressionLayer::new;
    let stack = three_ways!(tokens, as_is, |ours| [
        compression(),
        ours.with_body_sizes()
    ]);
    for outcome in stack {
        let span = outcome.span().await;
        let whole = CHUNK.repeat(CHUNKS);
        assert_eq!(*outcome.body.as_ref().unwrap(), whole, "{}", outcome.way);
        assert_eq!(size(&span), whole.len(), "{}", outcome.way);
        let chunks = attribute(&span, "dynamo_trace.stream.chunks");
        assert_eq!(chunks, Some(3.into()), "{}", outcome.way);
    }
}

#[tokio::test]
async fn inside_of_ours_compressed_bytes_are_counted() {
    let telemetry = Telemetry::new();
    let stack = ServiceBuilder::new()
        .layer(telemetry.axum().with_body_sizes())
        .layer(CompressionLayer::new());
    let app = Router::new().route("/", get(tokens)).layer(stack);
    let server = Server::start(app).await;
    let response = soon(client().request(takes_gzip(&server))).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let sent = soon(response.collect()).await.unwrap().to_bytes();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    assert_eq!(size(&span), sent.len());
    assert!(sent.len() < CHUNK.len() * CHUNKS, "it was not compressed");
}

/// The span is open as long as the body is, and ends with it: at its end, or when the client goes.
#[tokio::test]
async fn the_span_ends_with_the_compressed_body() {
    for is_outside in [true, false] {
        for (goes, expected) in [(false, "complete"), (true, "cancelled")] {
            let telemetry = Telemetry::new();
            let (sender, mut chunks) = mpsc::channel(1);
            let chunks = poll_fn(move |cx| {
                chunks
                    .poll_recv(cx)
                    .map(|chunk| chunk.map(Ok::<_, Infallible>))
            });
            let body = Arc::new(Mutex::new(Some(Body::from_stream(chunks))));
            let handler = async move || body.lock().unwrap().take().unwrap();
            let app = Router::new().route("/", get(handler));
            let (ours, compression) = (telemetry.axum(), CompressionLayer::new());
            let app = match is_outside {
                true => app.layer(ours).layer(compression),
                false => app.layer(compression).layer(ours),
            };
            let server = Server::start(app).await;
            let response = soon(client().request(takes_gzip(&server))).await.unwrap();
            assert_eq!(response.headers()["content-encoding"], "gzip");
            sender.send(CHUNK).await.unwrap();
            // There is room for another one when that was taken.
            sender.send(CHUNK).await.unwrap();
            assert_eq!(telemetry.count(), 0, "ended before its body");
            if goes {
                drop(response);
            } else {
                drop(sender);
                soon(response.collect()).await.unwrap();
            }
            let [span] = telemetry.ended().await;
            assert_eq!(ending(&span), expected, "outside: {is_outside}");
        }
    }
}
