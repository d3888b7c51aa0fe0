//! The spans of one test inside one process: what an SDK records, without an exporter between.
#![expect(
    clippy::panic,
    reason = "assertions for tests: a failed one fails the test"
)]

use dynamo_trace_core::span::attributes::{ENDING, ERROR_TYPE};
use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long what is waited for may take.
const SOON: Duration = Duration::from_secs(30);

/// Counts the spans that start and keeps those that end.
#[derive(Clone, Debug, Default)]
pub struct SpanLog(Arc<watch::Sender<Log>>);

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) started: usize,
    pub(crate) ended: Vec<SpanData>,
}

impl SpanLog {
    /// A provider whose spans come here. It samples as the parent says, and every root.
    #[must_use]
    pub fn provider(&self) -> SdkTracerProvider {
        SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(self.clone())
            .build()
    }

    /// Waits until `N` spans have ended, in the order of their ends.
    ///
    /// # Panics
    ///
    /// If others have started, or after 30 seconds.
    pub async fn ended<const N: usize>(&self) -> [SpanData; N] {
        let spans = self.until(|log| log.ended.len() >= N).await;
        assert_eq!(self.0.borrow().started, N, "spans started");
        let spans: Result<[SpanData; N], _> = spans.try_into();
        spans.unwrap_or_else(|spans| panic!("not {N} spans: {spans:#?}"))
    }

    /// Waits until `count` spans have started and every one has ended.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn all_ended(&self, count: usize) -> Vec<SpanData> {
        self.until(|log| log.started >= count && log.ended.len() == log.started)
            .await
    }

    /// How many spans have ended by now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.borrow().ended.len()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Log> {
        self.0.subscribe()
    }

    async fn until(&self, done: impl FnMut(&Log) -> bool) -> Vec<SpanData> {
        let mut log = self.subscribe();
        match tokio::time::timeout(SOON, log.wait_for(done)).await {
            Ok(Ok(log)) => log.ended.clone(),
            _ => panic!("not so within {SOON:?}: {:#?}", self.0.borrow()),
        }
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

/// The value of an attribute.
#[must_use]
pub fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut attributes = span.attributes.iter();
    attributes.find_map(|kv| (kv.key.as_str() == key).then(|| kv.value.clone()))
}

/// The value of an attribute as text.
#[must_use]
pub fn text(span: &SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.to_string())
}

/// How the span ended: `complete`, `cancelled`, or `failed:` and its `error.type`.
///
/// # Panics
///
/// If ending, status and `error.type` do not agree.
#[must_use]
pub fn ending(span: &SpanData) -> String {
    let ending = text(span, ENDING).unwrap_or_else(|| "complete".to_owned());
    let is_error = span.status != Status::Unset;
    assert_eq!(is_error, ending == "failed", "{span:#?}");
    let error_type = text(span, ERROR_TYPE);
    assert_eq!(error_type.is_some(), is_error, "{span:#?}");
    match error_type {
        Some(error_type) => format!("{ending}:{error_type}"),
        None => ending,
    }
}

/// Asserts that a span is the child of another.
///
/// # Panics
///
/// If it is not.
#[track_caller]
pub fn assert_child(child: &SpanData, parent: &SpanContext) {
    assert_eq!(child.span_context.trace_id(), parent.trace_id());
    assert_eq!(child.parent_span_id, parent.span_id());
}
