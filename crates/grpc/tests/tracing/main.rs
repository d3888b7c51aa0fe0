//! Spans of `tracing`, recorded by `tracing-opentelemetry`, in one tree with those of the layers.
//!
//! Subscribers are scoped to a thread, and with it to the test that runs there. Each has one:
//! what is off in the first thread that comes by stays off in others.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

#[path = "../spans/echo.rs"]
mod echo;
mod streams;
#[path = "../spans/telemetry.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of what is shared, this needs a part"
)]
mod telemetry;

use echo::{Echo, Reply};
use futures_util::StreamExt;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use streams::{call, client, of_kind, serve, streams};
use telemetry::{Telemetry, assert_child, ending};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

/// What an application installs for the whole process, for this thread. h2 has spans of its own,
/// below that level.
fn subscribe(telemetry: &Telemetry) -> DefaultGuard {
    let layer = tracing_opentelemetry::layer().with_tracer(telemetry.provider.tracer("app"));
    let layers = tracing_subscriber::registry().with(LevelFilter::INFO);
    set_default(layers.with(layer))
}

#[tokio::test]
async fn spans_in_a_handler_and_in_its_stream_are_children_of_the_servers() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let server = serve(&telemetry, streams()).await;
    let read = call(client(&telemetry, &server), "/test.Echo/Server").await;
    assert_eq!(read, "onetwo");
    let spans = telemetry.ended::<4>().await;
    let served = of_kind(&spans, SpanKind::Server);
    assert_eq!(ending(served), "complete");
    let made: Vec<_> = spans.iter().filter(|span| span.name == "reply").collect();
    assert_eq!(made.len(), 2);
    for span in made {
        assert_child(span, &served.span_context);
    }
}

#[tokio::test]
async fn a_call_in_a_span_is_its_child() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let inner = serve(&telemetry, streams()).await;
    let calls = client(&telemetry, &inner);
    let relay = Echo::new(move |_| {
        let call = call(calls.clone(), "/test.Echo/Server");
        let reply = async { Reply::Ok(call.await) };
        futures_util::stream::once(reply.instrument(info_span!("relay"))).boxed()
    });
    let outer = serve(&telemetry, relay).await;
    let call = call(client(&telemetry, &outer), "/test.Echo/Unary");
    assert_eq!(call.instrument(info_span!("caller")).await, "onetwo");

    let spans = telemetry.ended::<8>().await;
    let parent = |span: &SpanData| {
        let id = span.parent_span_id;
        let mut spans = spans.iter();
        spans.find(|span| span.span_context.span_id() == id)
    };
    // From the innermost to the outermost.
    let mut path = vec![spans.iter().find(|span| span.name == "reply").unwrap()];
    while let Some(parent) = path.last().and_then(|span| parent(span)) {
        path.push(parent);
    }
    let path = path
        .iter()
        .map(|span| (span.name.as_ref(), span.span_kind.clone()));
    let expected = [
        ("reply", SpanKind::Internal),
        ("test.Echo/Server", SpanKind::Server),
        ("test.Echo/Server", SpanKind::Client),
        ("relay", SpanKind::Internal),
        ("test.Echo/Unary", SpanKind::Server),
        ("test.Echo/Unary", SpanKind::Client),
        ("caller", SpanKind::Internal),
    ];
    assert_eq!(path.collect::<Vec<_>>(), expected);
}
