//! One batch processor for each endpoint, flushed and shut down side by side.

use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use crate::settings::Batching;

/// Every ended span goes to each of the processors.
///
/// The provider would shut down one processor after the other, each with the whole time: a dead
/// endpoint must neither double the bound nor use up the time of a live one.
#[derive(Debug)]
pub(crate) struct Batches {
    processors: Vec<BatchSpanProcessor>,
}

impl Batches {
    pub(super) fn new<E: SpanExporter + 'static>(
        exporters: Vec<E>,
        batching: Batching,
        resource: &Resource,
    ) -> Self {
        let start = |exporter| {
            let builder = BatchSpanProcessor::builder(exporter);
            let mut processor = builder.with_batch_config(batching.config()).build();
            processor.set_resource(resource);
            processor
        };
        Self {
            processors: exporters.into_iter().map(start).collect(),
        }
    }

    pub(crate) fn flush(&self) -> OTelSdkResult {
        self.on_each(SpanProcessor::force_flush)
    }

    pub(crate) fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.on_each(|processor| match processor.shutdown_with_timeout(timeout) {
            Err(OTelSdkError::AlreadyShutdown) => Ok(()),
            result => result,
        })
    }

    /// The first failure, after all are done.
    fn on_each(&self, run: impl Fn(&BatchSpanProcessor) -> OTelSdkResult + Sync) -> OTelSdkResult {
        let Some((first, others)) = self.processors.split_first() else {
            return Ok(());
        };
        thread::scope(|scope| {
            let started = others.iter().map(|processor| {
                let run = &run;
                thread::Builder::new().spawn_scoped(scope, move || run(processor))
            });
            let started: Vec<_> = started.collect();
            let result = run(first);
            started.into_iter().fold(result, |result, thread| {
                let other = match thread.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(other)) => other,
                    Ok(Err(_)) => Err(OTelSdkError::InternalFailure("a panic".to_owned())),
                    Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
                };
                result.and(other)
            })
        })
    }
}

/// The end of the provider. It shares the processors with the guard, which needs their results.
#[derive(Debug)]
pub(crate) struct ToBatches(pub(crate) std::sync::Arc<Batches>);

impl SpanProcessor for ToBatches {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // The SDK's batch processor would export a span that is recorded only.
        if !span.span_context.is_sampled() {
            return;
        }
        if let Some((last, others)) = self.0.processors.split_last() {
            for processor in others {
                processor.on_end(span.clone());
            }
            last.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown(timeout)
    }
}
