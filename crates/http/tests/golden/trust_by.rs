//! Callers that are trusted by what they ask for.

use crate::{Telemetry, get, soon, status};
use axum::body::Body;
use dynamo_trace_core::Trust;
use http::{HeaderMap, Request};
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

/// The span of a request for this path, and the headers that arrived inside.
async fn record(path: &str) -> (SpanData, HeaderMap) {
    let telemetry = Telemetry::new();
    let arrived = Arc::<Mutex<HeaderMap>>::default();
    let inside = {
        let arrived = arrived.clone();
        service_fn(move |request: Request<Body>| {
            *arrived.lock().unwrap() = request.headers().clone();
            std::future::ready(Ok::<_, Infallible>(status(200)))
        })
    };
    let layer = telemetry.server().with_trust_by(|request| {
        if request.uri.path().starts_with("/internal/") {
            Trust::trusted()
        } else if request.headers.contains_key("x-partner") {
            Trust::linked()
        } else {
            Trust::ignored()
        }
    });
    let mut request = get(path);
    let headers = request.headers_mut();
    let caller = format!("00-{TRACE_ID}-{SPAN_ID}-01");
    headers.insert("traceparent", caller.parse().unwrap());
    headers.insert("baggage", "tenant=t".parse().unwrap());
    if path == "/partner" {
        headers.insert("x-partner", "1".parse().unwrap());
    }
    soon(layer.layer(inside).oneshot(request)).await.unwrap();
    let [span] = telemetry.ended().await;
    let arrived = std::mem::take(&mut *arrived.lock().unwrap());
    (span, arrived)
}

#[tokio::test]
async fn each_request_has_a_trust_of_its_own() {
    let (span, arrived) = record("/internal/work").await;
    assert_eq!(span.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(span.parent_span_id.to_string(), SPAN_ID);
    assert_eq!(arrived.len(), 2, "{arrived:?}");

    let (span, arrived) = record("/partner").await;
    assert_ne!(span.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    let links: Vec<_> = span.links.iter().map(|link| &link.span_context).collect();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].span_id().to_string(), SPAN_ID);
    let names: Vec<_> = arrived.keys().collect();
    assert_eq!(names, ["x-partner"]);

    let (span, arrived) = record("/").await;
    assert_ne!(span.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(span.links.iter().count(), 0);
    assert!(arrived.is_empty(), "{arrived:?}");
}
