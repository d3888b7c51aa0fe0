//! One batch processor for each endpoint, flushed and shut down side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanProcessor};

use super::exporter::Exporter;
use crate::settings::Batching;

/// Every ended span goes to each of the processors.
///
/// The provider would shut down one processor after the other, each with the whole time: a dead
/// endpoint must neither double the bound nor use up the time of a live one.
#[derive(Debug)]
pub(crate) struct Batches {
    processors: Vec<Batch>,
    is_down: AtomicBool,
}

#[derive(Debug)]
struct Batch {
    endpoint: Arc<str>,
    processor: BatchSpanProcessor,
}

/// Which endpoint failed, and how.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) endpoint: Arc<str>,
    pub(crate) error: OTelSdkError,
}

impl Batches {
    pub(super) fn new(exporters: Vec<Exporter>, batching: Batching, resource: &Resource) -> Self {
        let start = |exporter: Exporter| {
            let endpoint = exporter.name();
            let builder = BatchSpanProcessor::builder(exporter);
            let mut processor = builder.with_batch_config(batching.config()).build();
            processor.set_resource(resource);
            Batch {
                endpoint,
                processor,
            }
        };
        Self {
            processors: exporters.into_iter().map(start).collect(),
            is_down: AtomicBool::new(false),
        }
    }

    pub(crate) fn flush(&self) -> Result<(), Failed> {
        self.on_each(SpanProcessor::force_flush)
    }

    /// The guard and the provider both call this; a processor would tell of its losses each time.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), Failed> {
        if self.is_down.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.on_each(|processor| processor.shutdown_with_timeout(timeout))
    }

    /// The first failure, after all are done.
    fn on_each(
        &self,
        run: impl Fn(&BatchSpanProcessor) -> OTelSdkResult + Sync,
    ) -> Result<(), Failed> {
        let Some((first, others)) = self.processors.split_first() else {
            return Ok(());
        };
        let failed = |batch: &Batch, error| Failed {
            endpoint: batch.endpoint.clone(),
            error,
        };
        thread::scope(|scope| {
            let started = others.iter().map(|batch| {
                let run = &run;
                let thread =
                    thread::Builder::new().spawn_scoped(scope, move || run(&batch.processor));
                (batch, thread)
            });
            let started: Vec<_> = started.collect();
            let result = run(&first.processor).map_err(|error| failed(first, error));
            started.into_iter().fold(result, |result, (batch, thread)| {
                let other = match thread.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(other)) => other,
                    Ok(Err(_)) => Err(OTelSdkError::InternalFailure("a panic".to_owned())),
                    Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
                };
                result.and(other.map_err(|error| failed(batch, error)))
            })
        })
    }
}

/// The end of the provider. It shares the processors with the guard, which needs their results.
#[derive(Debug)]
pub(crate) struct ToBatches(pub(crate) Arc<Batches>);

impl SpanProcessor for ToBatches {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // The SDK's batch processor would export a span that is recorded only.
        if !span.span_context.is_sampled() {
            return;
        }
        if let Some((last, others)) = self.0.processors.split_last() {
            for batch in others {
                batch.processor.on_end(span.clone());
            }
            last.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.flush().map_err(|failed| failed.error)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown(timeout).map_err(|failed| failed.error)
    }
}
