//! What a server sends to its end.

use crate::telemetry::{attribute, ending, text};
use crate::{Protocol, Server, Telemetry, VERSIONS, channel, data, frames, soon};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, service_fn};

/// Serves one request with this response, reads the whole of it, and gives the one span.
async fn record<R: IntoResponse>(
    protocol: Protocol,
    method: Method,
    respond: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> SpanData {
    let telemetry = Telemetry::new();
    // Not axum's `Router`, which has its own ways with HEAD.
    let service = service_fn(move |_| {
        let response = respond().into_response();
        async move { Ok::<_, Infallible>(response) }
    });
    let server = Server::start(telemetry.server().layer(service)).await;
    let response = protocol.send(&server, method, "/").await;
    // Over HTTP/2 hyper sends a body where none belongs, and its client refuses it.
    let _ = soon(response.collect()).await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.span_kind, SpanKind::Server);
    span
}

#[tokio::test]
async fn a_streamed_body_ends_the_span_at_its_end() {
    for protocol in VERSIONS {
        let span = record(protocol, Method::GET, || {
            frames([data("one"), data("two"), data("three")])
        })
        .await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
        let of_stream = |key| attribute(&span, key);
        assert_eq!(of_stream("dynamo_trace.stream.chunks"), Some(3.into()));
        assert_eq!(of_stream("dynamo_trace.stream.bytes"), Some(11.into()));
    }
}

#[tokio::test]
async fn a_buffered_body_ends_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, Method::GET, || Json([1, 2, 3])).await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
        assert_eq!(attribute(&span, "dynamo_trace.stream.chunks"), None);
    }
}

#[tokio::test]
async fn an_empty_body_ends_the_span_with_the_head() {
    for protocol in VERSIONS {
        let span = record(protocol, Method::GET, || ()).await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
    }
}

#[tokio::test]
async fn trailers_end_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, Method::GET, || {
            let trailers = HeaderMap::from_iter([(header::ETAG, "x".parse().unwrap())]);
            frames([data("one"), Ok(Frame::trailers(trailers))])
        })
        .await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
    }
}

#[tokio::test]
async fn what_nobody_reads_is_complete() {
    for protocol in VERSIONS {
        let head = record(protocol, Method::HEAD, || "a body").await;
        assert_eq!(ending(&head), "complete", "HEAD, {protocol:?}");
        assert_eq!(head.name, "HEAD");
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
            let span = record(protocol, Method::GET, move || (status, frames([data("x")]))).await;
            assert_eq!(ending(&span), "complete", "{status}, {protocol:?}");
            let code = i64::from(status.as_u16());
            let expected = Some(Value::from(code));
            assert_eq!(attribute(&span, "http.response.status_code"), expected);
        }
    }
}

#[tokio::test]
async fn an_axum_handler_answers_head_and_completes() {
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let app = Router::new()
            .route("/", get(async || "a body"))
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        protocol.send(&server, Method::HEAD, "/").await;
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
        let name = if cfg!(feature = "axum") {
            "HEAD /"
        } else {
            "HEAD"
        };
        assert_eq!(span.name, name);
    }
}

#[tokio::test]
async fn an_upgrade_ends_the_span_with_the_head() {
    let telemetry = Telemetry::new();
    let switch = async |mut request: Request| {
        tokio::spawn(async move {
            let _upgraded = hyper::upgrade::on(&mut request).await.unwrap();
            std::future::pending::<()>().await;
        });
        let head = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "echo");
        head.body(Body::empty()).unwrap()
    };
    let app = Router::new()
        .route("/", get(switch))
        .layer(telemetry.axum());
    let server = Server::start(app).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut head = [0; 12];
    soon(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    let status = attribute(&span, "http.response.status_code");
    assert_eq!(status, Some(101.into()));
}

#[tokio::test]
async fn a_stream_of_150_ms_lasts_that_long() {
    const GAP: Duration = Duration::from_millis(50);
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let tokens = async || {
            let (mut sender, body) = channel();
            tokio::spawn(async move {
                for _ in 0..3 {
                    // What the stream is measured by, no synchronisation.
                    tokio::time::sleep(GAP).await;
                    sender.send_data("data: token\n\n".into()).await.unwrap();
                }
            });
            (
                [(header::CONTENT_TYPE, "Text/Event-Stream; charset=utf-8")],
                body,
            )
        };
        let app = Router::new()
            .route("/", get(tokens))
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        protocol.get(&server, "/").await;
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "complete", "{protocol:?}");
        let lasted = span.end_time.duration_since(span.start_time).unwrap();
        assert!(lasted >= 3 * GAP, "{protocol:?}: {lasted:?}");
        let seconds = |key| match attribute(&span, key) {
            Some(Value::F64(seconds)) => Duration::from_secs_f64(seconds),
            other => panic!("{key}: {other:?}"),
        };
        // The clock of the timer counts whole milliseconds.
        let gap = GAP - Duration::from_millis(2);
        let first = seconds("gen_ai.response.time_to_first_chunk");
        assert!(first >= gap && first < lasted, "{first:?}");
        let longest = seconds("dynamo_trace.stream.longest_gap");
        assert!(longest >= gap && longest < lasted, "{longest:?}");
    }
}

#[tokio::test]
async fn a_spawned_task_does_not_hold_the_span_open() {
    let telemetry = Telemetry::new();
    let (release, released) = tokio::sync::watch::channel(());
    let handler = async move || {
        let context = opentelemetry::Context::current();
        let mut released = released.clone();
        tokio::spawn(async move {
            let _ = released.changed().await;
            drop(context);
        });
        "done"
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(telemetry.axum());
    let server = Server::start(app).await;
    Protocol::Http1.get(&server, "/").await;
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    assert_eq!(release.receiver_count(), 2, "the task still holds it");
    drop(release);
}

#[tokio::test]
async fn the_producer_sets_attributes_to_the_very_end() {
    use opentelemetry::trace::TraceContextExt;
    let set = |key: &'static str| {
        let context = opentelemetry::Context::current();
        context.span().set_attribute(KeyValue::new(key, true));
    };
    struct Finish<F: Fn(&'static str)>(F);
    impl<F: Fn(&'static str)> Drop for Finish<F> {
        fn drop(&mut self) {
            (self.0)("dropped");
        }
    }
    for protocol in VERSIONS {
        let span = record(protocol, Method::GET, move || {
            let finish = Finish(set);
            let mut polls = 0;
            let stream = futures_util::stream::poll_fn(move |_| {
                polls += 1;
                let key = ["first", "second", "last"][polls - 1];
                (finish.0)(key);
                std::task::Poll::Ready((polls < 3).then_some(Ok::<_, Infallible>(key)))
            });
            Body::from_stream(stream)
        })
        .await;
        for key in ["first", "second", "last", "dropped"] {
            assert_eq!(text(&span, key).as_deref(), Some("true"), "{key}");
        }
    }
}
