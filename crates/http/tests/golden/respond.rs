//! What is put on responses, where it was asked for.

use crate::shown::of;
use crate::{Server, Telemetry, answer, get, served, soon, status};
use axum::body::Body;
use dynamo_trace_core::Trust;
use dynamo_trace_http::ServerLayer;
use http::{HeaderMap, Request, Response};
use opentelemetry_sdk::trace::SpanData;
use tower::{Layer, ServiceExt};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

fn called(flags: &str) -> Request<Body> {
    let mut request = get("/");
    let caller = format!("00-{TRACE_ID}-{SPAN_ID}-{flags}").parse().unwrap();
    request.headers_mut().insert("traceparent", caller);
    request
}

fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().unwrap().to_owned();
    assert_eq!(values.next(), None, "{name} twice");
    Some(value)
}

fn ids(span: &SpanData) -> String {
    let context = &span.span_context;
    format!("00-{}-{}-01", context.trace_id(), context.span_id())
}

#[tokio::test]
async fn traceresponse_names_the_span() {
    let layer = |layer: Server| layer.with_traceresponse();
    let (span, head) = served(layer, called("01"), status(500)).await;
    let named = one(&head.headers, "traceresponse").unwrap();
    assert_eq!(named, ids(&span));
    assert!(named.contains(TRACE_ID) && !named.contains(SPAN_ID));
    // It is not that of somebody further inside.
    let mut response = status(200);
    let inner = "of another".parse().unwrap();
    response.headers_mut().insert("traceresponse", inner);
    let (span, head) = served(layer, get("/"), response).await;
    assert_eq!(one(&head.headers, "traceresponse"), Some(ids(&span)));
    // Nor does it show what a caller sent that is not trusted.
    let layer = |layer: Server| layer.with_traceresponse().with_trust(Trust::linked());
    let (span, head) = served(layer, called("01"), status(200)).await;
    let named = one(&head.headers, "traceresponse");
    assert_eq!(named, Some(ids(&span)));
    assert!(!named.unwrap().contains(TRACE_ID));
}

/// The random flag of a trace that goes on stays: Level 2, 3.2.2.5.2.
#[tokio::test]
async fn traceresponse_has_the_flags_of_the_trace() {
    for flags in ["01", "03"] {
        let layer = |layer: Server| layer.with_traceresponse();
        let (_, head) = served(layer, called(flags), status(200)).await;
        let named = one(&head.headers, "traceresponse").unwrap();
        assert!(named.ends_with(&format!("-{flags}")), "{named}");
    }
}

/// The header of a request for which there is no recorded span.
async fn unrecorded(layer: Server, request: Request<Body>) -> Option<String> {
    let service = layer.with_traceresponse().layer(answer(status(200)));
    let response = soon(service.oneshot(request)).await.unwrap();
    one(response.headers(), "traceresponse")
}

#[tokio::test]
async fn traceresponse_names_a_span_that_is_not_sampled() {
    for flags in ["00", "02"] {
        let telemetry = Telemetry::new();
        let named = unrecorded(telemetry.server(), called(flags)).await.unwrap();
        assert!(named.starts_with(&format!("00-{TRACE_ID}-")), "{named}");
        assert!(named.ends_with(&format!("-{flags}")), "{named}");
        assert!(!named.contains(SPAN_ID), "{named}");
        assert_eq!(telemetry.count(), 0);
    }
}

#[tokio::test]
async fn there_is_no_traceresponse_without_a_span() {
    let none = opentelemetry::trace::noop::NoopTracerProvider::new();
    for request in [called("01"), called("00"), get("/")] {
        let no_sdk = ServerLayer::new().with_tracer_provider(&none);
        assert_eq!(unrecorded(no_sdk, request).await, None);
    }
    let telemetry = Telemetry::new();
    let filtered = telemetry.server().with_filter(|_| false);
    assert_eq!(unrecorded(filtered, called("01")).await, None);
    let (_, head) = served(|layer| layer, called("01"), status(200)).await;
    assert_eq!(one(&head.headers, "traceresponse"), None);
}

/// A request and a response with these ids.
fn with_ids(asked: Option<&str>, said: Option<&str>) -> (Request<Body>, Response<Body>) {
    let (mut request, mut response) = (get("/"), status(200));
    let insert = |headers: &mut HeaderMap, id: Option<&str>| {
        let id = id.map(|id| id.parse().unwrap());
        headers.extend(id.map(|id| (Some("x-request-id".parse().unwrap()), id)));
    };
    insert(request.headers_mut(), asked);
    insert(response.headers_mut(), said);
    (request, response)
}

#[tokio::test]
async fn a_request_id_comes_back() {
    for (asked, said, back) in [
        (Some("a"), None, Some("a")),
        (Some("a"), Some("b"), Some("b")),
        (None, Some("b"), Some("b")),
        (None, None, None),
    ] {
        let line = |side, id: Option<&str>| {
            id.map(|id| format!("http.{side}.header.x-request-id = [{id:?}]\n"))
        };
        let recorded = [line("request", asked), line("response", said)];
        let recorded: String = recorded.into_iter().flatten().collect();
        let (request, response) = with_ids(asked, said);
        let layer = |layer: Server| layer.with_request_id();
        let (span, head) = served(layer, request, response).await;
        assert_eq!(one(&head.headers, "x-request-id").as_deref(), back);
        let headers = of(&span, "http.request.header.") + &of(&span, "http.response.header.");
        assert_eq!(headers, recorded, "{asked:?}, {said:?}");
        // Whoever records it.
        let (request, response) = with_ids(asked, said);
        let none = opentelemetry::trace::noop::NoopTracerProvider::new();
        let layer = ServerLayer::new().with_tracer_provider(&none);
        let service = layer.with_request_id().layer(answer(response));
        let response = soon(service.oneshot(request)).await.unwrap();
        assert_eq!(one(response.headers(), "x-request-id").as_deref(), back);
    }
}

#[tokio::test]
async fn without_the_option_no_response_is_changed() {
    let (request, response) = with_ids(Some("a"), None);
    let (_, head) = served(|layer| layer, request, response).await;
    assert!(head.headers.is_empty(), "{:?}", head.headers);
}
