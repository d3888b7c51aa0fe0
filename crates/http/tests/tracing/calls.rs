//! Calls of a client in spans of `tracing`.

use crate::telemetry::assert_child;
use crate::{
    Server, Telemetry, client, echo, fetch, layer, named, of_kind, relay, request, soon, subscribe,
};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::{FutureExt, SpanId, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::collections::HashSet;
use std::convert::Infallible;
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::subscriber::set_default;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test]
async fn a_call_in_a_span_is_its_child() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let app = Router::new()
        .route("/", get(async || ()))
        .layer(telemetry.axum());
    let server = Server::start(app).await;

    let call = fetch(client(&telemetry), request(&server, "/"));
    call.instrument(info_span!("instrumented")).await;
    // The span has to be current where the service is called, not where the response is awaited.
    let call = || client(&telemetry).call(request(&server, "/"));
    let call = info_span!("entered").in_scope(call);
    soon(soon(call).await.unwrap().collect()).await.unwrap();

    let spans = telemetry.ended::<6>().await;
    for name in ["instrumented", "entered"] {
        let caller = &named(&spans, name).span_context;
        let of_trace = |span: &&SpanData| span.span_context.trace_id() == caller.trace_id();
        let trace: Vec<_> = spans.iter().filter(of_trace).cloned().collect();
        assert_eq!(trace.len(), 3, "{name}");
        let call = of_kind(&trace, SpanKind::Client);
        assert_child(call, caller);
        assert_child(of_kind(&trace, SpanKind::Server), &call.span_context);
    }
}

#[tokio::test]
async fn a_call_of_a_handler_is_a_child_of_the_span_there() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let inner = Router::new()
        .route("/inner", get(async || "inner"))
        .layer(telemetry.axum());
    let inner = Server::start(inner).await;
    let (calls, called) = (client(&telemetry), request(&inner, "/inner"));
    let handler = async move || {
        let call = fetch(calls.clone(), called.clone());
        call.instrument(info_span!("work")).await
    };
    let outer = Router::new()
        .route("/outer", get(handler))
        .layer(telemetry.axum());
    let outer = Server::start(outer).await;
    let caller = telemetry.caller();
    let call = fetch(client(&telemetry), request(&outer, "/outer"));
    assert_eq!(call.with_context(caller.clone()).await, "inner");
    caller.span().end();

    let spans = telemetry.ended::<6>().await;
    let parent = |span: &SpanData| {
        let id = span.parent_span_id;
        let mut spans = spans.iter();
        spans.find(|span| span.span_context.span_id() == id)
    };
    // From the innermost to the outermost.
    let mut path = vec![named(&spans, "GET /inner")];
    while let Some(parent) = path.last().and_then(|span| parent(span)) {
        path.push(parent);
    }
    let path: Vec<_> = path.iter().map(|span| span.name.as_ref()).collect();
    let expected = ["GET /inner", "GET", "work", "GET /outer", "GET", "caller"];
    assert_eq!(path, expected);
}

/// The server's span is no span of `tracing`, which could carry it along.
#[tokio::test]
async fn a_task_of_a_handler_has_the_span_that_is_made_there() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let calls = echo(&telemetry);
    let service = service_fn(move |_: Request<()>| {
        let call = || calls.clone().oneshot(Request::new(()));
        let tasks = [
            tokio::spawn(call().in_current_span()),
            tokio::spawn(call().instrument(info_span!("task"))),
            tokio::spawn(call().with_current_context()),
        ];
        async move {
            for task in tasks {
                task.await.unwrap()?;
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let service = telemetry.server().layer(service);
    service.oneshot(Request::new(())).await.unwrap();
    let spans = telemetry.ended::<5>().await;
    let [task, served] = [named(&spans, "task"), of_kind(&spans, SpanKind::Server)];
    assert_child(task, &served.span_context);
    let calls = spans.iter().filter(|s| s.span_kind == SpanKind::Client);
    let parents: HashSet<_> = calls.map(|span| span.parent_span_id).collect();
    let [task, served] = [task, served].map(|span| span.span_context.span_id());
    assert_eq!(parents, HashSet::from([SpanId::INVALID, task, served]));
}

/// The SDK cannot hold all of it, and `tracing` knows nothing of it.
#[tokio::test]
async fn what_the_caller_sent_goes_through_a_span() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = Request::get("/")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-03"))
        .header("tracestate", "0tenant@system=1")
        .header("baggage", "user=1");
    let called = relay(&telemetry).oneshot(request.body(()).unwrap());
    let sent = called.await.unwrap();
    let spans = telemetry.ended::<4>().await;
    let call = of_kind(&spans, SpanKind::Client);
    assert_child(call, &named(&spans, "work").span_context);
    let id = call.span_context.span_id();
    assert_eq!(sent["traceparent"], format!("00-{trace}-{id}-03"));
    assert_eq!(sent["tracestate"], "0tenant@system=1");
    assert_eq!(sent["baggage"], "user=1");
}

/// Spans that are current for `tracing` alone.
#[tokio::test]
async fn without_context_activation_calls_miss_the_span() {
    let telemetry = Telemetry::new();
    let layer = layer(&telemetry).with_context_activation(false);
    let _subscriber = set_default(tracing_subscriber::registry().with(layer));
    relay(&telemetry).oneshot(Request::new(())).await.unwrap();
    let spans = telemetry.ended::<4>().await;
    let served = &of_kind(&spans, SpanKind::Server).span_context;
    assert_child(named(&spans, "work"), served);
    assert_child(of_kind(&spans, SpanKind::Client), served);
}
