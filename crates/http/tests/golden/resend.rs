//! `http.request.resend_count`.

use crate::telemetry::attribute;
use crate::{Telemetry, soon};
use dynamo_trace_http::{ClientLayer, ResendLayer};
use http::{Request, Response};
use opentelemetry::Value;
use opentelemetry::trace::{FutureExt, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::retry::{Policy, RetryLayer};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// Sends again until there is an answer.
#[derive(Clone)]
struct Again;

impl<B> Policy<Request<String>, Response<B>, Infallible> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<String>,
        answer: &mut Result<Response<B>, Infallible>,
    ) -> Option<Ready<()>> {
        let failed = answer.as_ref().unwrap().status().is_server_error();
        failed.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<String>) -> Option<Request<String>> {
        Some(request.clone())
    }
}

/// Answers every third time, and waits once each time, so that calls interleave.
fn third_time() -> impl Service<
    Request<String>,
    Response = Response<String>,
    Error = Infallible,
    Future: Future<Output = Result<Response<String>, Infallible>> + Send,
> + Clone {
    let sends = std::sync::Arc::new(AtomicUsize::new(0));
    service_fn(move |_| {
        let number = sends.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::task::yield_now().await;
            let status = if number % 3 == 2 { 200 } else { 503 };
            let response = Response::builder().status(status);
            Ok(response.body(String::new()).unwrap())
        }
    })
}

fn count(span: &SpanData) -> Option<Value> {
    attribute(span, "http.request.resend_count")
}

fn request() -> Request<String> {
    Request::get("http://example.com/")
        .body(String::new())
        .unwrap()
}

#[tokio::test]
async fn every_send_after_the_first_is_counted() {
    let telemetry = Telemetry::new();
    let client = ServiceBuilder::new()
        .layer(ResendLayer::new())
        .layer(RetryLayer::new(Again))
        .layer(telemetry.client())
        .service(third_time());
    // A second call counts from the beginning.
    for _ in 0..2 {
        let response = soon(client.clone().oneshot(request())).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let counts: Vec<_> = telemetry.ended::<6>().await.iter().map(count).collect();
    let of_one = [None, Some(1.into()), Some(2.into())];
    assert_eq!(counts, [of_one.clone(), of_one].concat());
}

#[tokio::test]
async fn calls_at_once_are_counted_apart() {
    let telemetry = Telemetry::new();
    let client = ServiceBuilder::new()
        .layer(ResendLayer::new())
        .layer(RetryLayer::new(Again))
        .layer(telemetry.client());
    let client = || client.clone().service(third_time());
    let callers = [telemetry.caller(), telemetry.caller()];
    let call = |n: usize| client().oneshot(request()).with_context(callers[n].clone());
    let _ = soon(async { tokio::join!(call(0), call(1)) }).await;
    callers.iter().for_each(|caller| caller.span().end());
    let spans = telemetry.all_ended(8).await;
    for caller in callers {
        let caller = caller.span().span_context().span_id();
        let own = spans.iter().filter(|span| span.parent_span_id == caller);
        let counts: Vec<_> = own.map(count).collect();
        assert_eq!(counts, [None, Some(1.into()), Some(2.into())]);
    }
}

#[tokio::test]
async fn without_the_layer_outside_nothing_is_counted() {
    let telemetry = Telemetry::new();
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(Again))
        .layer(telemetry.client())
        .service(third_time());
    soon(client.oneshot(request())).await.unwrap();
    assert_eq!(
        telemetry.ended::<3>().await.map(|span| count(&span)),
        [None, None, None]
    );
    // Nor where nobody sends again.
    let telemetry = Telemetry::new();
    let layer: ClientLayer<_> = telemetry.client();
    let client = ServiceBuilder::new().layer(ResendLayer::new()).layer(layer);
    for _ in 0..2 {
        soon(client.service(third_time()).oneshot(request()))
            .await
            .unwrap();
    }
    assert_eq!(
        telemetry.ended::<2>().await.map(|span| count(&span)),
        [None, None]
    );
}
