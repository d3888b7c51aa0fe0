//! Clients that go away.

use crate::telemetry::{attribute, ending};
use crate::{Server, Telemetry, VERSIONS, channel, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Method, header};
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn before_the_head() {
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let started = Arc::new(Notify::new());
        let hang = {
            let started = started.clone();
            async move || {
                started.notify_one();
                std::future::pending::<()>().await;
            }
        };
        let app = Router::new().route("/", get(hang)).layer(telemetry.axum());
        let server = Server::start(app).await;
        tokio::select! {
            _ = protocol.send(&server, Method::GET, "/") => panic!("no response was given"),
            () = soon(started.notified()) => {}
        }
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "cancelled", "{protocol:?}");
        assert_eq!(attribute(&span, "http.response.status_code"), None);
    }
}

/// A route that sends two chunks and then hangs.
fn two_chunks(telemetry: &Telemetry, length: Option<&'static str>) -> Router {
    let handler = async move || {
        let (mut sender, body) = channel();
        tokio::spawn(async move {
            for chunk in ["one", "two"] {
                sender.send_data(chunk.into()).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let mut response = http::Response::new(body);
        if let Some(length) = length {
            let length = length.parse().unwrap();
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length);
        }
        response
    };
    Router::new()
        .route("/", get(handler))
        .layer(telemetry.axum())
}

#[tokio::test]
async fn between_two_chunks() {
    for protocol in VERSIONS {
        for length in [None, Some("9")] {
            let telemetry = Telemetry::new();
            let server = Server::start(two_chunks(&telemetry, length)).await;
            let mut response = protocol.send(&server, Method::GET, "/").await;
            let mut read = 0;
            while read < 6 {
                let frame = soon(response.frame()).await.unwrap().unwrap();
                read += frame.into_data().unwrap().len();
            }
            assert_eq!(telemetry.count(), 0, "ended before the client went");
            drop(response);
            let [span] = telemetry.ended().await;
            assert_eq!(ending(&span), "cancelled", "{protocol:?}, {length:?}");
            let status = attribute(&span, "http.response.status_code");
            assert_eq!(status, Some(200.into()));
            let chunks = attribute(&span, "dynamo_trace.stream.chunks");
            assert_eq!(chunks, Some(2.into()));
        }
    }
}

#[tokio::test]
async fn after_the_last_chunk() {
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let server = Server::start(two_chunks(&telemetry, Some("6"))).await;
        let response = protocol.send(&server, Method::GET, "/").await;
        // HTTP/2 has an end of its own behind the data, which does not come.
        let mut body = http_body_util::BodyStream::new(response.into_body());
        let mut read = 0;
        while read < 6 {
            let frame = futures_util::StreamExt::next(&mut body);
            let frame = soon(frame).await.unwrap().unwrap();
            read += frame.into_data().unwrap().len();
        }
        drop(body);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
    }
}

#[tokio::test]
async fn the_producer_is_dropped_with_the_span_current() {
    use opentelemetry::KeyValue;
    use opentelemetry::trace::TraceContextExt;
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            let context = opentelemetry::Context::current();
            context.span().set_attribute(KeyValue::new("dropped", true));
        }
    }
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let handler = async || {
            let kept = OnDrop;
            let stream = futures_util::stream::unfold((kept, 0), async |(kept, n)| {
                if n > 0 {
                    std::future::pending::<()>().await;
                }
                Some((Ok::<_, std::convert::Infallible>("one"), (kept, n + 1)))
            });
            Body::from_stream(stream)
        };
        let app = Router::new()
            .route("/", get(handler))
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        let mut response = protocol.send(&server, Method::GET, "/").await;
        soon(response.frame()).await.unwrap().unwrap();
        drop(response);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "cancelled", "{protocol:?}");
        assert_eq!(attribute(&span, "dropped"), Some(true.into()));
    }
}
