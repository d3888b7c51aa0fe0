//! What fails on the server.

use crate::telemetry::{attribute, ending};
use crate::{BoxError, Protocol, Server, Telemetry, VERSIONS, channel, data, frames, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::future::Ready;
use std::io::{Error, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service, ServiceExt, service_fn};

/// Serves one request that may fail in any way, and gives the one span.
async fn record<F>(protocol: Protocol, respond: impl Fn() -> F + Clone + Send + 'static) -> SpanData
where
    F: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
{
    let telemetry = Telemetry::new();
    let service = service_fn(move |_| respond());
    let server = Server::start(telemetry.server().layer(service)).await;
    let request = http::Request::get(format!("http://{}/", server.addr));
    let request = request.body(http_body_util::Full::default()).unwrap();
    if let Ok(response) = soon(protocol.client().request(request)).await {
        let _ = soon(response.collect()).await;
    }
    let [span] = telemetry.ended().await;
    span
}

#[tokio::test]
async fn an_error_of_the_body_fails_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, async || {
            let error = Error::from(ErrorKind::UnexpectedEof);
            Ok(Response::new(frames([data("one"), Err(error.into())])))
        })
        .await;
        let expected = match cfg!(feature = "axum") {
            true => "failed:unexpected_end_of_file",
            false => "failed:axum_core::error::Error",
        };
        assert_eq!(ending(&span), expected, "{protocol:?}");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status, Some(200.into()));
    }
}

#[tokio::test]
async fn an_error_of_the_service_fails_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, async || {
            Err(Error::from(ErrorKind::BrokenPipe).into())
        })
        .await;
        assert_eq!(ending(&span), "failed:broken_pipe", "{protocol:?}");
        let span = record(protocol, async || Err("no known type".into())).await;
        assert_eq!(ending(&span), "failed:_OTHER", "{protocol:?}");
    }
}

#[tokio::test]
async fn a_panic_of_the_handler_fails_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, async || panic!("of the handler")).await;
        assert_eq!(ending(&span), "failed:panic", "{protocol:?}");
    }
}

#[tokio::test]
async fn a_panic_of_the_body_fails_the_span() {
    for protocol in VERSIONS {
        let span = record(protocol, async || {
            let stream =
                futures_util::stream::poll_fn(|_| -> Poll<Option<Result<&str, Infallible>>> {
                    panic!("of the body")
                });
            Ok(Response::new(Body::from_stream(stream)))
        })
        .await;
        assert_eq!(ending(&span), "failed:panic", "{protocol:?}");
    }
}

/// As tower-http's `CatchPanic`: the future is dropped after the panic.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = AssertUnwindSafe(|| self.0.as_mut().poll(cx));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    }
}

#[tokio::test]
async fn a_panic_that_is_caught_outside_fails_the_span() {
    let telemetry = Telemetry::new();
    let panics = service_fn(
        async |_: http::Request<Body>| -> Result<Response<Body>, Infallible> {
            panic!("of the handler")
        },
    );
    let service = telemetry.server().layer(panics);
    let mut caught = Caught(Box::pin(service.oneshot(http::Request::default())));
    assert!((&mut caught).await.is_none());
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:panic");
}

#[tokio::test]
async fn a_panic_of_the_call_fails_the_span() {
    let telemetry = Telemetry::new();
    let panics =
        service_fn(|_| -> Ready<Result<Response<Body>, Infallible>> { panic!("of the call") });
    let mut service = telemetry.server().layer(panics);
    let call = AssertUnwindSafe(|| service.call(http::Request::<Body>::default()));
    assert!(catch_unwind(call).is_err());
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:panic");
}

#[tokio::test]
async fn a_5xx_is_an_error_and_a_4xx_is_none() {
    for (status, expected) in [
        (StatusCode::OK, "complete"),
        (StatusCode::NOT_FOUND, "complete"),
        (StatusCode::INTERNAL_SERVER_ERROR, "failed:500"),
        (StatusCode::SERVICE_UNAVAILABLE, "failed:503"),
    ] {
        let telemetry = Telemetry::new();
        let app = Router::new()
            .route("/", get(async move || (status, "text")))
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        Protocol::Http1.get(&server, "/").await;
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected);
        let code = i64::from(status.as_u16());
        let recorded = attribute(&span, "http.response.status_code");
        assert_eq!(recorded, Some(code.into()));
    }
}

#[tokio::test]
async fn a_5xx_stays_an_error_when_its_body_is_not_read() {
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let app = Router::new()
            .route(
                "/",
                get(async || {
                    let (mut sender, body) = channel();
                    tokio::spawn(async move {
                        sender.send_data("a word".into()).await.unwrap();
                        std::future::pending::<()>().await;
                    });
                    (StatusCode::BAD_GATEWAY, body)
                }),
            )
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        drop(protocol.send(&server, Method::GET, "/").await);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "failed:502", "{protocol:?}");
    }
}

/// Calls while the thread unwinds, as a guard does that says goodbye.
struct CallsOnDrop(Telemetry);

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        let answer = service_fn(async |_: http::Request<Body>| {
            tokio::task::yield_now().await;
            let chunks = futures_util::stream::once(async {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>("chunk")
            });
            Ok::<_, Infallible>(Response::new(Body::from_stream(chunks)))
        });
        let call = self.0.server().layer(answer).oneshot(Default::default());
        let read = async {
            let response = soon(call).await.unwrap();
            soon(response.collect()).await.unwrap().to_bytes()
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        assert_eq!(runtime.block_on(read), "chunk");
    }
}

#[tokio::test]
async fn a_call_during_an_unwinding_is_like_any_other() {
    let telemetry = Telemetry::new();
    let calls = CallsOnDrop(telemetry.clone());
    let unwinding = tokio::task::spawn_blocking(move || {
        let _calls = calls;
        panic!("of somebody else");
    });
    assert!(unwinding.await.unwrap_err().is_panic());
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
}
