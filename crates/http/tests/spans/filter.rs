//! Requests that get no span.

use crate::Telemetry;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use dynamo_trace_core::Propagation;
use dynamo_trace_http::engine::Custom;
use dynamo_trace_http::{Http, ServerLayer};
use http::Request;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Sent = Arc<Mutex<HashMap<String, String>>>;

fn request(path: &str) -> Request<Body> {
    let request = Request::get(path).header("traceparent", PARENT);
    request.body(Body::empty()).unwrap()
}

fn layer(telemetry: &Telemetry) -> ServerLayer<Custom<Http>> {
    telemetry
        .server()
        .with_filter(|request| request.uri.path() != "/health")
}

#[tokio::test]
async fn a_filtered_request_keeps_its_context_and_has_no_span() {
    let telemetry = Telemetry::new();
    let sent = Sent::default();
    // What the handler would send on.
    let inject = async |State(sent): State<Sent>| {
        let mut sent = sent.lock().unwrap();
        Propagation::w3c().inject(&Context::current(), &mut *sent);
    };
    let app = Router::new()
        .route("/health", get(inject))
        .route("/work", get(inject))
        .layer(layer(&telemetry))
        .with_state(sent.clone());
    app.clone().oneshot(request("/health")).await.unwrap();
    assert_eq!(sent.lock().unwrap()["traceparent"], PARENT);

    app.oneshot(request("/work")).await.unwrap();
    let [span] = telemetry.ended().await;
    let own = span.span_context.span_id().to_string();
    assert!(sent.lock().unwrap()["traceparent"].contains(&own));
}

/// The SDK loses it of spans that it drops.
#[tokio::test]
async fn a_filtered_request_keeps_the_random_flag_for_spans_of_the_users_own() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("user");
    let sent = Sent::default();
    let inject = {
        let sent = sent.clone();
        async move || {
            let context = Context::current();
            let own = tracer.start_with_context("own", &context);
            let mut sent = sent.lock().unwrap();
            Propagation::w3c().inject(&context.with_span(own), &mut *sent);
        }
    };
    let app = Router::new()
        .route("/health", get(inject))
        .layer(layer(&telemetry));
    let mut request = request("/health");
    let unsampled = PARENT.replace("-01", "-02").parse().unwrap();
    request.headers_mut().insert("traceparent", unsampled);
    app.oneshot(request).await.unwrap();
    assert!(sent.lock().unwrap()["traceparent"].ends_with("-02"));
}

#[tokio::test]
async fn a_filtered_call_of_a_client_carries_the_current_context() {
    let telemetry = Telemetry::new();
    let client = telemetry.client().with_filter(|_| false);
    let echo = service_fn(async |request: Request<Body>| {
        let traceparent = request.headers().get("traceparent").cloned();
        assert_eq!(traceparent.unwrap(), PARENT);
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    });
    let parent = HashMap::from([("traceparent".to_owned(), PARENT.to_owned())]);
    let parent = Propagation::w3c().extract(&Context::new(), &parent);
    let call = client.layer(echo).oneshot(Request::new(Body::empty()));
    call.with_context(parent).await.unwrap();
    assert_eq!(telemetry.count(), 0);
}
