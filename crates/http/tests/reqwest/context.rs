//! The context inside of the span, and that of others.

use crate::{Telemetry, plain, serve, soon, traced, url};
use axum::routing::get;
use dynamo_trace_core::Propagation;
use dynamo_trace_core::Trust;
use dynamo_trace_http::reqwest::ClientMiddleware;
use http::{Extensions, HeaderMap};
use opentelemetry::Context;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, SpanContext, TraceContextExt};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};
use std::sync::{Arc, Mutex};

/// What came in with these headers.
fn received(traceparent: &str) -> Context {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().unwrap());
    let remote = Propagation::w3c().remote(&headers, &Trust::trusted());
    remote.attach_to(&Context::new())
}

async fn echo(headers: HeaderMap) -> String {
    headers
        .get("traceparent")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn without_an_sdk_the_context_passes_through() {
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    let server = serve("/", get(echo)).await;
    let telemetry = Telemetry::new();
    let layer = telemetry.layer();
    let client = traced(layer.with_tracer_provider(&NoopTracerProvider::new()));
    let request = client.get(url(&server, "/"));
    let response = request.send().with_context(received(sent));
    let response = soon(response).await.unwrap();
    assert_eq!(soon(response.text()).await.unwrap(), sent);
}

#[tokio::test]
async fn unsampled_stays_unsampled() {
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let server = serve("/", get(echo)).await;
    let telemetry = Telemetry::new();
    for layer in [telemetry.layer(), telemetry.layer().with_body()] {
        let request = traced(layer).get(url(&server, "/"));
        let response = request.send().with_context(received(sent));
        let response = soon(response).await.unwrap();
        let arrived = soon(response.text()).await.unwrap();
        assert!(arrived.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(arrived.ends_with("-00"), "{arrived}");
    }
    let [] = telemetry.ended().await;
}

/// Takes note of the span that is current.
#[derive(Clone, Default)]
struct Looks(Arc<Mutex<Vec<SpanContext>>>);

impl Looks {
    fn look(&self) {
        let current = Context::current().span().span_context().clone();
        self.0.lock().unwrap().push(current);
    }
}

#[async_trait::async_trait]
impl Middleware for Looks {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.look();
        let response = next.run(request, extensions).await;
        self.look();
        response
    }
}

#[tokio::test]
async fn the_span_is_current_inside_and_not_outside() {
    let telemetry = Telemetry::new();
    let server = serve("/", get(async || "")).await;
    let (outside, inside) = (Looks::default(), Looks::default());
    let client = ClientBuilder::new(plain())
        .with(outside.clone())
        .with(ClientMiddleware::from(telemetry.layer()))
        .with(inside.clone())
        .build();
    soon(client.get(url(&server, "/")).send()).await.unwrap();
    let [span] = telemetry.ended().await;
    let expected = vec![span.span_context.clone(); 2];
    assert_eq!(*inside.0.lock().unwrap(), expected);
    assert_eq!(*outside.0.lock().unwrap(), vec![SpanContext::NONE; 2]);
}
