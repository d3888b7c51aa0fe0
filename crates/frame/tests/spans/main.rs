//! Spans over real TCP connections: names, kinds, parents, attributes and endings.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod messages;
mod responses;

use dynamo_trace_core::Propagation;
use dynamo_trace_frame::Codec;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

type Connection = Framed<TcpStream, Codec>;

/// Where the spans of one test go.
struct Telemetry {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

impl Telemetry {
    fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        Self { exporter, provider }
    }

    fn codec(&self) -> Codec {
        Codec::new()
            .destination("tokens")
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    /// A span of the caller's own.
    fn caller(&self) -> Context {
        Context::new().with_span(self.provider.tracer("test").start("caller"))
    }

    /// The ended spans, in the order of their ends.
    fn ended<const N: usize>(&self) -> [SpanData; N] {
        let spans = self.exporter.get_finished_spans().unwrap();
        spans
            .try_into()
            .unwrap_or_else(|spans| panic!("not {N} spans: {spans:#?}"))
    }
}

/// Two ends of a TCP connection, both with this codec.
async fn connect(codec: &Codec) -> (Connection, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (far, _) = listener.accept().await.unwrap();
    near.set_nodelay(true).unwrap();
    (
        Framed::new(near, codec.clone()),
        Framed::new(far, codec.clone()),
    )
}

/// Fails where the other end of a test would be waited for in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut attributes = span.attributes.iter();
    attributes.find_map(|kv| (kv.key.as_str() == key).then(|| kv.value.clone()))
}

fn text(span: &SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.to_string())
}

/// How the span ended, and its `error.type`.
fn ending(span: &SpanData) -> (String, Option<String>) {
    let ending = text(span, "dynamo_trace.ending").unwrap_or("complete".into());
    assert_eq!(
        span.status != Status::Unset,
        ending == "failed",
        "{span:#?}"
    );
    (ending, text(span, "error.type"))
}

fn complete() -> (String, Option<String>) {
    ("complete".into(), None)
}

fn cancelled() -> (String, Option<String>) {
    ("cancelled".into(), None)
}

fn failed(error_type: &str) -> (String, Option<String>) {
    ("failed".into(), Some(error_type.into()))
}

#[track_caller]
fn assert_child(child: &SpanData, parent: &SpanContext) {
    assert_eq!(child.span_context.trace_id(), parent.trace_id());
    assert_eq!(child.parent_span_id, parent.span_id());
}
