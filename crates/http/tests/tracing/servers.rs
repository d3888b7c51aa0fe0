//! Spans of `tracing` in what a server runs.

use crate::telemetry::{assert_child, attribute, ending, text};
use crate::{Server, Telemetry, client, fetch, named, of_kind, request, subscribe};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tracing::{Instrument, info, info_span};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_span_in_a_handler_is_a_child_of_the_servers() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let handler = async || {
        info_span!("at once").in_scope(|| ());
        let waits = async {
            tokio::task::yield_now().await;
            info_span!("within").in_scope(|| ());
        };
        waits.instrument(info_span!("waits")).await;
        // Made here, where the server's is current.
        let spawned = tokio::spawn(async {}.instrument(info_span!("spawned")));
        spawned.await.unwrap();
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(telemetry.axum());
    let server = Server::start(app).await;
    fetch(client(&telemetry), request(&server, "/")).await;
    let spans = telemetry.ended::<6>().await;
    let served = named(&spans, "GET /");
    assert_eq!(ending(served), "complete");
    assert_child(served, &named(&spans, "GET").span_context);
    for name in ["at once", "waits", "spawned"] {
        assert_child(named(&spans, name), &served.span_context);
    }
    let waits = named(&spans, "waits");
    assert_child(named(&spans, "within"), &waits.span_context);
}

#[tokio::test]
async fn a_span_of_the_bodys_producer_is_a_child_of_the_servers() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let handler = async || {
        let chunks = futures_util::stream::iter(["one", "two"]).then(|chunk| {
            let makes = async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(chunk)
            };
            makes.instrument(info_span!("token", chunk))
        });
        Body::from_stream(chunks)
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(telemetry.axum());
    let server = Server::start(app).await;
    let read = fetch(client(&telemetry), request(&server, "/")).await;
    assert_eq!(read, "onetwo");
    let spans = telemetry.ended::<4>().await;
    let served = named(&spans, "GET /");
    let made: Vec<_> = spans.iter().filter(|span| span.name == "token").collect();
    assert_eq!(made.len(), 2);
    for (span, chunk) in made.iter().zip(["one", "two"]) {
        assert_child(span, &served.span_context);
        assert_eq!(text(span, "chunk").as_deref(), Some(chunk));
    }
}

/// Attributes on OpenTelemetry's current span, events on that of `tracing`.
#[tokio::test]
async fn what_is_noted_lands_on_the_span_that_is_current() {
    fn set(key: &'static str) {
        let context = Context::current();
        context.span().set_attribute(KeyValue::new(key, true));
    }
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let service = service_fn(async |_: Request<()>| {
        set("before");
        info!("on no span");
        info_span!("work").in_scope(|| {
            set("inside");
            info!("on its span");
        });
        set("after");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = telemetry.server().layer(service);
    service.oneshot(Request::new(())).await.unwrap();
    let spans = telemetry.ended::<2>().await;
    let (work, served) = (named(&spans, "work"), of_kind(&spans, SpanKind::Server));
    for (key, span) in [("before", served), ("inside", work), ("after", served)] {
        assert_eq!(attribute(span, key), Some(true.into()), "{key}");
    }
    let events = [work, served].map(|span| span.events.len());
    assert_eq!(events, [1, 0]);
}

/// The spans of tower-http and of ours, with the layer of tower-http inside or outside.
async fn with_tower_http(is_inside: bool) -> [SpanData; 2] {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let theirs =
        TraceLayer::new_for_http().make_span_with(|_: &Request<Body>| info_span!("theirs"));
    let app = Router::new().route("/", get(async || ()));
    let app = match is_inside {
        true => app.layer(theirs).layer(telemetry.axum()),
        false => app.layer(telemetry.axum()).layer(theirs),
    };
    let request = Request::get("/").header("traceparent", TRACEPARENT);
    let request = request.body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    response.collect().await.unwrap();
    let spans = telemetry.ended::<2>().await;
    let [theirs, ours] = [named(&spans, "theirs"), of_kind(&spans, SpanKind::Server)];
    assert_eq!(ours.parent_span_id.to_string(), "b7ad6b7169203331");
    [theirs.clone(), ours.clone()]
}

#[tokio::test]
async fn tower_http_inside_has_a_child_of_our_span() {
    let [theirs, ours] = with_tower_http(true).await;
    assert_child(&theirs, &ours.span_context);
}

#[tokio::test]
async fn tower_http_outside_begins_a_trace_of_its_own() {
    let [theirs, ours] = with_tower_http(false).await;
    assert_eq!(theirs.parent_span_id, SpanId::INVALID);
    assert_ne!(theirs.span_context.trace_id(), ours.span_context.trace_id());
}
