//! Calls without a good end.

use crate::{BoxError, Telemetry, plain, serve, soon, traced, url};
use axum::response::Redirect;
use axum::routing::get;
use dynamo_trace_http::reqwest::ClientMiddleware;
use dynamo_trace_testkit::span_log::{attribute, ending};
use http::{Extensions, StatusCode};
use opentelemetry::trace::Status;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, Error, Middleware, Next, Result};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How the span of a call to this URL ended that fails.
async fn failed(client: reqwest::ClientBuilder, url: &str) -> String {
    let telemetry = Telemetry::new();
    let client = ClientBuilder::new(client.no_proxy().build().unwrap())
        .with(ClientMiddleware::from(telemetry.layer()))
        .build();
    let error = soon(client.get(url).send()).await.unwrap_err();
    assert!(!error.is_middleware(), "reqwest's own error: {error:?}");
    let [span] = telemetry.ended().await;
    // An error's message has the URL in it.
    assert_eq!(span.status, Status::error(""));
    ending(&span)
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}

#[tokio::test]
async fn statuses_from_400_are_errors() {
    for (status, expected) in [
        (StatusCode::NO_CONTENT, "complete"),
        (StatusCode::NOT_MODIFIED, "complete"),
        (StatusCode::NOT_FOUND, "failed:404"),
        (StatusCode::BAD_GATEWAY, "failed:502"),
    ] {
        let telemetry = Telemetry::new();
        let server = serve("/", get(async move || status)).await;
        let client = telemetry.client();
        let response = soon(client.get(url(&server, "/")).send()).await.unwrap();
        assert_eq!(response.status(), status);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected);
        let code = i64::from(status.as_u16());
        let recorded = attribute(&span, "http.response.status_code");
        assert_eq!(recorded, Some(code.into()));
    }
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_its_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(failed(client(), &url).await, "failed:connection_refused");
}

#[tokio::test]
async fn a_timeout_is_an_error_of_its_kind() {
    // Takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let short = Duration::from_millis(20);
    for client in [client().timeout(short), client().read_timeout(short)] {
        assert_eq!(failed(client, &url).await, "failed:timed_out");
    }
}

/// Knows no name.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err(BoxError::from("no such name")) })
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_an_error_of_its_kind() {
    let client = client().dns_resolver(Arc::new(NoNames));
    let ending = failed(client, "http://models.test/").await;
    assert_eq!(ending, "failed:dns_error");
}

#[tokio::test]
async fn what_reqwest_does_not_send_is_an_error_of_its_kind() {
    for url in ["ftp://models.test/", "http://{{models}}/"] {
        assert_eq!(failed(client(), url).await, "failed:builder_error", "{url}");
    }
}

#[tokio::test]
async fn redirects_without_an_end_are_an_error_of_their_kind() {
    let server = serve("/", get(async || Redirect::to("/"))).await;
    let ending = failed(client(), &url(&server, "/")).await;
    assert_eq!(ending, "failed:redirect_error");
}

/// Answers one request with these bytes, and closes the connection.
async fn answers(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    url
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn a_connection_closed_too_early_is_an_error_of_its_kind() {
    for answer in ["", "HTTP/1.1 200"] {
        let url = answers(answer).await;
        assert_eq!(failed(client(), &url).await, "failed:incomplete_message");
    }
}

#[tokio::test]
async fn any_other_failure_has_the_name_of_its_type() {
    let url = answers("what?\r\n\r\n").await;
    let ending = failed(client(), &url).await;
    assert_eq!(ending, "failed:reqwest_middleware::error::Error");
}

/// Fails with an error of its own.
struct Fails(fn() -> Error);

#[async_trait::async_trait]
impl Middleware for Fails {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        Err((self.0)())
    }
}

#[tokio::test]
async fn an_error_of_a_middleware_is_known_by_what_is_in_it() {
    fn reset() -> Error {
        Error::middleware(io::Error::from(io::ErrorKind::ConnectionReset))
    }
    for (fails, expected) in [
        (Fails(reset), "failed:connection_reset"),
        (
            Fails(|| Error::middleware(reset())),
            "failed:connection_reset",
        ),
        (
            Fails(|| Error::middleware(std::fmt::Error)),
            "failed:reqwest_middleware::error::Error",
        ),
    ] {
        let telemetry = Telemetry::new();
        let client = ClientBuilder::new(plain())
            .with(ClientMiddleware::from(telemetry.layer()))
            .with(fails)
            .build();
        let error = client.get("http://models.test/").send().await.unwrap_err();
        assert!(error.is_middleware());
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled() {
    for with_body in [false, true] {
        let telemetry = Telemetry::new();
        let called = Arc::new(Notify::new());
        let arrived = called.clone();
        let hangs = async move || {
            arrived.notify_one();
            std::future::pending::<()>().await;
        };
        let server = serve("/", get(hangs)).await;
        let layer = match with_body {
            true => telemetry.layer().with_body(),
            false => telemetry.layer(),
        };
        let sent = traced(layer).get(url(&server, "/")).send();
        tokio::select! {
            _ = sent => panic!("answered"),
            () = soon(called.notified()) => {}
        }
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "cancelled");
        assert_eq!(attribute(&span, "http.response.status_code"), None);
    }
}

#[tokio::test]
async fn a_call_that_is_never_polled_is_none() {
    let telemetry = Telemetry::new();
    drop(telemetry.client().get("http://models.test/").send());
    let [] = telemetry.ended().await;
}
