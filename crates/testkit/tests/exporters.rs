//! Round trips through the exporters of the OpenTelemetry SDK.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test")]

use std::time::Duration;

use dynamo_trace_testkit::{Receiver, Tree, Value, span::StatusCode};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt,
        TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
    },
};
use opentelemetry_otlp::{Compression, Protocol, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

const PATIENCE: Duration = Duration::from_secs(30);

fn provider(exporter: SpanExporter) -> SdkTracerProvider {
    let resource = Resource::builder_empty()
        .with_service_name("frontend")
        .build();
    SdkTracerProvider::builder()
        .with_resource(resource)
        .with_simple_exporter(exporter)
        .build()
}

fn grpc(receiver: &Receiver) -> SpanExporter {
    SpanExporter::builder()
        .with_tonic()
        .with_endpoint(receiver.endpoint())
        .with_compression(Compression::Gzip)
        .build()
        .unwrap()
}

fn http(receiver: &Receiver) -> SpanExporter {
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(receiver.http_traces_endpoint())
        .build()
        .unwrap()
}

fn remote() -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes([7; 16]),
        SpanId::from_bytes([8; 8]),
        TraceFlags::SAMPLED,
        true,
        TraceState::from_key_value([("vendor", "1")]).unwrap(),
    )
}

/// A remote parent, a span of every kind, an event, a link, attributes, an error.
fn record(provider: &SdkTracerProvider) {
    let scope = InstrumentationScope::builder("scope").with_version("1.2.3");
    let tracer = provider.tracer_with_scope(scope.build());
    let parent = Context::new().with_remote_span_context(remote());
    let server = tracer.build_with_context(
        SpanBuilder::from_name("POST /v1/chat/completions").with_kind(SpanKind::Server),
        &parent,
    );
    let inside = parent.with_span(server);
    for kind in [SpanKind::Client, SpanKind::Internal, SpanKind::Consumer] {
        let builder = SpanBuilder::from_name("inner").with_kind(kind);
        tracer.build_with_context(builder, &inside).end();
    }
    let linked = SpanBuilder::from_name("publish work")
        .with_kind(SpanKind::Producer)
        .with_attributes([KeyValue::new("tokens", 7)])
        .with_links(vec![Link::new(
            remote(),
            vec![KeyValue::new("why", "stale")],
            0,
        )]);
    let mut linked = tracer.build_with_context(linked, &inside);
    linked.add_event("first token", vec![KeyValue::new("model", "x")]);
    linked.set_status(Status::error("broker gone"));
    linked.end();
    inside.span().end();
}

async fn check(receiver: &Receiver) {
    let spans = receiver.wait_for_spans(5, PATIENCE).await.unwrap();
    let tree = Tree::new(&spans)
        .external_parent([8; 8])
        .attributes(&["tokens"]);
    let expected = "\
SERVER POST /v1/chat/completions  frontend
  CLIENT inner  frontend
  CONSUMER inner  frontend
  INTERNAL inner  frontend
  PRODUCER publish work  frontend  !ERROR  {tokens=7}
    ~ link: unknown span
";
    assert_eq!(tree.render_sorted(), expected);
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();

    let server = find("POST /v1/chat/completions");
    assert_eq!(
        (server.trace_id, server.parent_span_id),
        ([7; 16], Some([8; 8]))
    );
    assert_eq!(server.has_remote_parent(), Some(true));
    assert_eq!(
        (server.scope.name.as_str(), server.scope.version.as_str()),
        ("scope", "1.2.3")
    );
    assert!(server.start_unix_nanos > 0 && server.end_unix_nanos >= server.start_unix_nanos);

    let publish = find("publish work");
    assert!(publish.is_child_of(server));
    assert_eq!(
        (publish.trace_state.as_str(), publish.trace_flags()),
        ("vendor=1", 1)
    );
    assert_eq!(publish.has_remote_parent(), Some(false));
    assert_eq!(publish.status.code, StatusCode::Error);
    assert_eq!(publish.status.message, "broker gone");
    let [event] = publish.events.as_slice() else {
        panic!("{publish:?}");
    };
    assert_eq!(
        (event.name.as_str(), event.time_unix_nanos > 0),
        ("first token", true)
    );
    assert_eq!(event.attributes.get("model"), Some(&Value::from("x")));
    let [link] = publish.links.as_slice() else {
        panic!("{publish:?}");
    };
    assert_eq!((link.trace_id, link.span_id), ([7; 16], [8; 8]));
    assert_eq!(link.trace_state, "vendor=1");
    assert_eq!(link.attributes.get("why"), Some(&Value::from("stale")));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_through_the_grpc_exporter() {
    let receiver = Receiver::start().await.unwrap();
    let provider = provider(grpc(&receiver));
    record(&provider);
    check(&receiver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_through_the_http_exporter() {
    let receiver = Receiver::start().await.unwrap();
    let provider = provider(http(&receiver));
    record(&provider);
    check(&receiver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_exporter_is_flushed_while_nobody_reads() {
    let receiver = Receiver::start().await.unwrap();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(grpc(&receiver))
        .build();
    let tracer = provider.tracer("test");
    for burst in 0..10 {
        for _ in 0..1_000 {
            tracer.start(format!("burst {burst}")).end();
        }
        provider.force_flush().unwrap();
    }
    provider.shutdown().unwrap();
    assert_eq!(receiver.spans().len(), 10_000);
}
