use crate::soon;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, ServerLayer};
use opentelemetry::trace::{SpanContext, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where the spans of one test go.
#[derive(Clone)]
pub(crate) struct Telemetry {
    log: SpanLog,
    pub(crate) provider: SdkTracerProvider,
}

/// Counts what starts and keeps what ends.
#[derive(Clone, Debug, Default)]
struct SpanLog(Arc<watch::Sender<Log>>);

#[derive(Debug, Default)]
struct Log {
    started: usize,
    ended: Vec<SpanData>,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let log = SpanLog::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(log.clone())
            .build();
        Self { log, provider }
    }

    pub(crate) fn server(&self) -> ServerLayer {
        ServerLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    pub(crate) fn client(&self) -> ClientLayer {
        ClientLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    /// A span of the caller's own, which counts when it ends.
    pub(crate) fn caller(&self) -> Context {
        Context::new().with_span(self.provider.tracer("test").start("caller"))
    }

    /// Waits until `N` spans have ended, in the order of their ends; fails if others started.
    pub(crate) async fn ended<const N: usize>(&self) -> [SpanData; N] {
        let mut log = self.log.0.subscribe();
        let log = soon(log.wait_for(|log| log.ended.len() >= N)).await;
        let log = log.unwrap();
        assert_eq!(log.started, N, "spans started");
        let spans = log.ended.clone();
        spans
            .try_into()
            .unwrap_or_else(|spans| panic!("not {N} spans: {spans:#?}"))
    }

    /// Waits until `count` spans have started and every one has ended.
    pub(crate) async fn all_ended(&self, count: usize) -> Vec<SpanData> {
        let mut log = self.log.0.subscribe();
        let balanced = log.wait_for(|log| log.started >= count && log.ended.len() == log.started);
        soon(balanced).await.unwrap().ended.clone()
    }

    /// How many spans have ended by now.
    pub(crate) fn count(&self) -> usize {
        self.log.0.borrow().ended.len()
    }
}

impl SpanProcessor for SpanLog {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.0.send_modify(|log| log.started += 1);
    }

    fn on_end(&self, span: SpanData) {
        self.0.send_modify(|log| log.ended.push(span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(crate) fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut attributes = span.attributes.iter();
    attributes.find_map(|kv| (kv.key.as_str() == key).then(|| kv.value.clone()))
}

pub(crate) fn text(span: &SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.to_string())
}

/// How the span ended: `complete`, `cancelled`, or `failed:` and its `error.type`.
pub(crate) fn ending(span: &SpanData) -> String {
    let ending = text(span, "dynamo_trace.ending").unwrap_or("complete".into());
    let is_error = span.status != Status::Unset;
    assert_eq!(is_error, ending == "failed", "{span:#?}");
    let error_type = text(span, "error.type");
    assert_eq!(error_type.is_some(), is_error, "{span:#?}");
    match error_type {
        Some(error_type) => format!("{ending}:{error_type}"),
        None => ending,
    }
}

#[track_caller]
pub(crate) fn assert_child(child: &SpanData, parent: &SpanContext) {
    assert_eq!(child.span_context.trace_id(), parent.trace_id());
    assert_eq!(child.parent_span_id, parent.span_id());
}
