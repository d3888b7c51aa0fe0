//! The request stays as it was made.

use crate::{Telemetry, plain, serve, soon, url};
use axum::body::Body;
use axum::routing::{any, post};
use dynamo_trace_http::Route;
use dynamo_trace_http::reqwest::ClientMiddleware;
use dynamo_trace_testkit::span_log::ending;
use http::{Extensions, HeaderMap, Method, Version};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What can be told of a request.
#[derive(Debug, PartialEq)]
struct Told {
    method: Method,
    url: Url,
    headers: HeaderMap,
    version: Version,
    timeout: Option<Duration>,
    body: Option<Option<Vec<u8>>>,
    route: Option<Route>,
}

/// Keeps what it sees.
#[derive(Clone, Default)]
struct Sees(Arc<Mutex<Option<Told>>>);

#[async_trait::async_trait]
impl Middleware for Sees {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let body = request.body();
        *self.0.lock().unwrap() = Some(Told {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: request.headers().clone(),
            version: request.version(),
            timeout: request.timeout().copied(),
            body: body.map(|body| body.as_bytes().map(<[u8]>::to_vec)),
            route: extensions.get().cloned(),
        });
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn nothing_of_it_is_lost_and_the_context_is_added() {
    let server = serve("/{path}", any(async || "")).await;
    let telemetry = Telemetry::new();
    let (outside, inside) = (Sees::default(), Sees::default());
    let client = ClientBuilder::new(plain())
        .with(outside.clone())
        .with(ClientMiddleware::from(telemetry.layer().with_body_sizes()))
        .with(inside.clone())
        .build();
    let of = |path| url(&server, path);
    let user = format!("http://me:secret@{}/p?q#f", server.addr);
    let user = Request::new(Method::GET, Url::parse(&user).unwrap());
    let bare = reqwest::RequestBuilder::from_parts(plain(), user).build();
    let plain = plain();
    for request in [
        bare,
        plain.get(of("/none?a=b#part")).build(),
        plain.post(of("/bytes")).body("what?").build(),
        plain
            .post(of("/stream"))
            .body(reqwest::Body::wrap("what?".to_owned()))
            .header("content-length", "5")
            .build(),
        plain
            .put(of("/all"))
            .version(Version::HTTP_10)
            .timeout(Duration::from_secs(7))
            .header("x-many", "1")
            .header("x-many", "2")
            .bearer_auth("secret")
            .build(),
    ] {
        let mut extensions = Extensions::new();
        extensions.insert(Route::new("/{path}"));
        let sent = client.execute_with_extensions(request.unwrap(), &mut extensions);
        soon(sent).await.unwrap();
        let mut sent = inside.0.lock().unwrap().take().unwrap();
        let injected = sent.headers.remove("traceparent");
        assert!(injected.is_some());
        assert_eq!(Some(sent), outside.0.lock().unwrap().take());
        let route = extensions.get::<Route>().map(Route::as_str);
        assert_eq!(route, Some("/{path}"));
    }
}

#[tokio::test]
async fn a_timeout_of_the_request_is_kept() {
    let hangs = async || std::future::pending::<()>().await;
    let server = serve("/", any(hangs)).await;
    let telemetry = Telemetry::new();
    let sent = telemetry.client().get(url(&server, "/"));
    let sent = sent.timeout(Duration::from_millis(50)).send();
    assert!(soon(sent).await.unwrap_err().is_timeout());
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:timed_out");
}

#[tokio::test]
async fn a_body_is_sent_while_it_is_made() {
    // Gives back each chunk as it comes.
    let echo = post(async |body: Body| body);
    let server = serve("/", echo).await;
    let telemetry = Telemetry::new();
    let (mut chunks, body) = http_body_util::Channel::<bytes::Bytes, crate::BoxError>::new(1);
    let sent = telemetry.client().post(url(&server, "/"));
    let sent = sent.body(reqwest::Body::wrap(body)).send();
    chunks.send_data("one".into()).await.unwrap();
    let mut response = soon(sent).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "one");
    chunks.send_data("two".into()).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap().unwrap(), "two");
    drop(chunks);
    assert_eq!(soon(response.chunk()).await.unwrap(), None);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
}
