//! Layers around a client, and inside of its.

use crate::telemetry::{Telemetry, assert_child, attribute, ending};
use crate::{BoxError, CHUNK, CHUNKS, Server, client, hang, soon, tokens};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use dynamo_trace_http::ResendLayer;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::{FutureExt, SpanId, TraceContextExt};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::DecompressionLayer;

type Body = Full<Bytes>;

fn request() -> Request<Body> {
    let request = Request::get("http://example.com/");
    request.body(Body::default()).unwrap()
}

/// Sends anew while the service is unavailable.
#[derive(Clone)]
struct WhileUnavailable;

impl<B, E> Policy<Request<Body>, Response<B>, E> for WhileUnavailable {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Ready<()>> {
        let status = result.as_ref().ok()?.status();
        (status == StatusCode::SERVICE_UNAVAILABLE).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

/// Is available for the third request, and keeps the `traceparent` of each.
fn third_time(
    seen: &Arc<Mutex<Vec<String>>>,
) -> impl Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future = Ready<Result<Response<Body>, Infallible>>,
> + Clone
+ use<> {
    let seen = seen.clone();
    service_fn(move |request: Request<Body>| {
        let mut seen = seen.lock().unwrap();
        let sent = request.headers()["traceparent"].to_str().unwrap();
        seen.push(sent.to_owned());
        let mut response = Response::new(Body::default());
        if seen.len() < 3 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        ready(Ok(response))
    })
}

#[tokio::test]
async fn retried_outside_every_send_is_a_span() {
    let (telemetry, seen) = (Telemetry::new(), Arc::default());
    let client = ServiceBuilder::new()
        .layer(ResendLayer::new())
        .layer(RetryLayer::new(WhileUnavailable))
        .layer(telemetry.client())
        .service(third_time(&seen));
    // The count starts anew with each request.
    for _ in 0..2 {
        seen.lock().unwrap().clear();
        let response = client.clone().oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let spans = telemetry.ended::<6>().await;
    for spans in spans.chunks(3) {
        let endings = spans.iter().map(ending).collect::<Vec<_>>();
        assert_eq!(endings, ["failed:503", "failed:503", "complete"]);
        let count = |span| attribute(span, "http.request.resend_count");
        let counts = spans.iter().map(count).collect::<Vec<_>>();
        assert_eq!(counts, [None, Some(1.into()), Some(2.into())]);
    }
    let sent = spans[3..].iter().map(|span| {
        let context = &span.span_context;
        format!("00-{}-{}-01", context.trace_id(), context.span_id())
    });
    assert_eq!(*seen.lock().unwrap(), sent.collect::<Vec<_>>());
}

#[tokio::test]
async fn retried_inside_all_sends_are_one_span() {
    let (telemetry, seen) = (Telemetry::new(), Arc::default());
    let client = ServiceBuilder::new()
        .layer(telemetry.client())
        .layer(RetryLayer::new(WhileUnavailable))
        .service(third_time(&seen));
    client.oneshot(request()).await.unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    assert_eq!(attribute(&span, "http.request.resend_count"), None);
    let id = span.span_context.span_id().to_string();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|sent| sent.contains(&id)), "{seen:?}");
}

/// A service that never answers.
fn silent() -> impl Service<
    Request<Body>,
    Response = Response<axum::body::Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<axum::body::Body>, Infallible>> + Send,
> + Clone {
    service_fn(|_| hang().map(Ok))
}

#[tokio::test]
async fn a_timeout_outside_cancels_and_one_inside_fails() {
    const SHORT: Duration = Duration::from_millis(1);
    let telemetry = Telemetry::new();
    let outside = ServiceBuilder::new()
        .timeout(SHORT)
        .layer(telemetry.client())
        .service(silent());
    soon(outside.oneshot(request())).await.unwrap_err();
    let inside = ServiceBuilder::new()
        .layer(telemetry.client())
        .timeout(SHORT)
        .service(silent());
    soon(inside.oneshot(request())).await.unwrap_err();
    let [outside, inside] = telemetry.ended().await;
    assert_eq!(ending(&outside), "cancelled");
    assert_eq!(ending(&inside), "failed:_OTHER");
}

#[tokio::test]
async fn a_call_that_is_shed_outside_makes_no_span() {
    let telemetry = Telemetry::new();
    let outside = ServiceBuilder::new()
        .load_shed()
        .layer(telemetry.client())
        .concurrency_limit(0)
        .service(silent());
    soon(outside.oneshot(request())).await.unwrap_err();
    let inside = ServiceBuilder::new()
        .layer(telemetry.client())
        .load_shed()
        .concurrency_limit(0)
        .service(silent());
    soon(inside.oneshot(request())).await.unwrap_err();
    let [inside] = telemetry.ended().await;
    assert_eq!(ending(&inside), "failed:_OTHER");
}

#[tokio::test]
async fn the_caller_is_the_parent_if_the_buffer_is_inside() {
    let (telemetry, seen) = (Telemetry::new(), Arc::default());
    let caller = telemetry.caller();
    let inside = ServiceBuilder::new()
        .layer(telemetry.client())
        .buffer(1)
        .service(third_time(&seen));
    let call = inside.oneshot(request()).with_context(caller.clone());
    soon(call).await.unwrap();
    let outside = ServiceBuilder::new()
        .buffer(1)
        .layer(telemetry.client())
        .service(third_time(&seen));
    let call = outside.oneshot(request()).with_context(caller.clone());
    soon(call).await.unwrap();
    caller.span().end();
    let [inside, outside, caller] = telemetry.ended().await;
    assert_child(&inside, &caller.span_context);
    assert_eq!(outside.parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn a_body_is_counted_as_it_comes_by() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/", get(tokens));
    let server = Server::start(app.layer(CompressionLayer::new())).await;
    let get = || {
        let request = Request::get(format!("http://{}/", server.addr));
        request.body(Body::default()).unwrap()
    };
    let ours = telemetry.client().with_body().with_body_sizes();
    let decompression = DecompressionLayer::new;

    let outside = decompression().layer(ours.clone().layer(client()));
    let response = soon(outside.oneshot(get())).await.unwrap();
    let body = soon(response.collect()).await.unwrap().to_bytes();
    assert_eq!(body, CHUNK.repeat(CHUNKS));
    let inside = ours.layer(decompression().layer(client()));
    let response = soon(inside.oneshot(get())).await.unwrap();
    let body: Result<_, BoxError> = soon(response.collect()).await;
    assert_eq!(body.unwrap().to_bytes(), CHUNK.repeat(CHUNKS));

    let [outside, inside] = telemetry.ended().await;
    let size = |span| match attribute(span, "http.response.body.size") {
        Some(opentelemetry::Value::I64(size)) => usize::try_from(size).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(size(&outside) < CHUNK.len() * CHUNKS);
    assert_eq!(size(&inside), CHUNK.len() * CHUNKS);
    for span in [outside, inside] {
        assert_eq!(ending(&span), "complete");
    }
}
