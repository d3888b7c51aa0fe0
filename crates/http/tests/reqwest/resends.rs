//! Sends of one request that were not the first.

use crate::{Server, Telemetry, plain, serve, soon, url};
use axum::routing::get;
use dynamo_trace_http::reqwest::ClientMiddleware;
use dynamo_trace_testkit::span_log::{assert_child, attribute, ending};
use http::{Extensions, HeaderMap, StatusCode};
use opentelemetry::Value;
use opentelemetry::trace::{FutureExt, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Fails this often, and keeps the `traceparent` of every request.
async fn failing(times: usize) -> (Server, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let sent = seen.clone();
    let handler = move |headers: HeaderMap| {
        let mut sent = sent.lock().unwrap();
        sent.push(
            headers
                .get("traceparent")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        );
        let status = match sent.len() <= times {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::OK,
        };
        std::future::ready(status)
    };
    (serve("/", get(handler)).await, seen)
}

fn retries() -> RetryTransientMiddleware<ExponentialBackoff> {
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::ZERO, Duration::from_millis(1))
        .build_with_max_retries(2);
    RetryTransientMiddleware::new_with_policy(policy)
}

fn resends(spans: &[SpanData]) -> Vec<Option<Value>> {
    let count = |span| attribute(span, "http.request.resend_count");
    spans.iter().map(count).collect()
}

#[tokio::test]
async fn every_send_is_a_span_which_tells_how_many_were_before() {
    let telemetry = Telemetry::new();
    let (server, seen) = failing(2).await;
    let client = ClientBuilder::new(plain())
        .with(retries())
        .with(ClientMiddleware::from(telemetry.layer()))
        .build();
    let caller = telemetry.caller();
    let sent = client.get(url(&server, "/")).send();
    let response = soon(sent.with_context(caller.clone())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // The next request is counted for itself.
    soon(client.get(url(&server, "/")).send()).await.unwrap();
    caller.span().end();

    let [spans @ .., _caller] = telemetry.ended::<5>().await;
    assert_eq!(
        resends(&spans),
        [None, Some(1.into()), Some(2.into()), None]
    );
    let endings: Vec<_> = spans.iter().map(ending).collect();
    assert_eq!(
        endings,
        ["failed:503", "failed:503", "complete", "complete"]
    );
    for (span, sent) in spans.iter().zip(&*seen.lock().unwrap()) {
        let context = &span.span_context;
        let expected = format!("00-{}-{}-", context.trace_id(), context.span_id());
        assert!(sent.starts_with(&expected), "{sent}");
    }
    for span in spans.iter().take(3) {
        assert_child(span, caller.span().span_context());
    }
}

#[tokio::test]
async fn every_middleware_counts_for_itself() {
    let telemetry = Telemetry::new();
    let middleware = || ClientMiddleware::from(telemetry.layer());
    let outside = ClientBuilder::new(plain())
        .with(middleware())
        .with(retries())
        .with(middleware());
    let (server, _) = failing(1).await;
    let sent = outside.build().get(url(&server, "/")).send();
    soon(sent).await.unwrap();
    let spans: [SpanData; 3] = telemetry.ended().await;
    assert_eq!(resends(&spans), [None, Some(1.into()), None]);
    let [first, second, outer] = spans;
    assert_child(&first, &outer.span_context);
    assert_child(&second, &outer.span_context);

    let telemetry = Telemetry::new();
    let middleware = || ClientMiddleware::from(telemetry.layer());
    let inside = ClientBuilder::new(plain())
        .with(retries())
        .with(middleware())
        .with(middleware());
    let (server, _) = failing(1).await;
    let sent = inside.build().get(url(&server, "/")).send();
    soon(sent).await.unwrap();
    let spans: [SpanData; 4] = telemetry.ended().await;
    // To the inner one, each send is the first that the outer one makes.
    assert_eq!(resends(&spans), [None, None, None, Some(1.into())]);
}

/// Sends once more once the first send has been given up.
struct GivesUp;

#[async_trait::async_trait]
impl Middleware for GivesUp {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let again = request.try_clone().unwrap();
        let mut first = next.clone().run(request, extensions);
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        next.run(again, extensions).await
    }
}

#[tokio::test]
async fn a_send_that_was_given_up_counts() {
    let telemetry = Telemetry::new();
    let server = serve("/", get(async || "")).await;
    let client = ClientBuilder::new(plain())
        .with(GivesUp)
        .with(ClientMiddleware::from(telemetry.layer()))
        .build();
    soon(client.get(url(&server, "/")).send()).await.unwrap();
    let spans: [SpanData; 2] = telemetry.ended().await;
    assert_eq!(resends(&spans), [None, Some(1.into())]);
    let endings: Vec<_> = spans.iter().map(ending).collect();
    assert_eq!(endings, ["cancelled", "complete"]);
}
