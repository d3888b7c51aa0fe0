//! The guard that keeps telemetry going, and ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dynamo_trace_core::span::begin_shutdown;
use dynamo_trace_core::{Instrumentation, set_known_http_methods};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SdkTracerProvider, TracerProviderBuilder};
use tracing::dispatcher::{self, Dispatch};

use crate::export::{Export, Failed, ToBatches};
use crate::id_generator::RootIds;
use crate::settings::{Settings, Traces};
use crate::{Builder, InitError, ShutdownError, logs, propagation};

/// For the export thread to end once nothing runs on it any more.
const THREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether this process has set up telemetry. It stays so: what was global then is still in use.
static SET: AtomicBool = AtomicBool::new(false);

/// Telemetry of this process. Keep it until the end of `main`: dropping it flushes.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped; bind it to a name, not to `_`"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    export: Option<Export>,
    shutdown_timeout: Duration,
}

impl Telemetry {
    /// A builder for a service that is called `service_name` unless `OTEL_SERVICE_NAME` says
    /// otherwise.
    pub fn builder(service_name: impl Into<String>) -> Builder {
        Builder::new(service_name)
    }

    pub(crate) fn start(settings: Settings) -> Result<Self, InitError> {
        if SET.swap(true, Ordering::AcqRel) {
            return Err(InitError::AlreadySet);
        }
        // Nothing has been set up where that fails, so that it may be tried again.
        Self::start_first(settings).inspect_err(|_| SET.store(false, Ordering::Release))
    }

    fn start_first(settings: Settings) -> Result<Self, InitError> {
        let Settings {
            mut traces,
            logs,
            propagators,
            http_methods,
            shutdown_timeout,
        } = settings;
        let (unknown_exporters, unsupported) = traces.as_mut().map_or((None, None), |traces| {
            (traces.unknown_exporters.take(), traces.unsupported.take())
        });
        let (provider, export) = match traces {
            Some(traces) => {
                let export = start_export(&traces)?;
                (Some(provider(traces, export.as_ref())), export)
            }
            None => (None, None),
        };
        if let Some(logs) = logs {
            logs::install(logs);
        }
        if let Some(provider) = &provider {
            silently(|| opentelemetry::global::set_tracer_provider(provider.clone()));
            // Set-up is once a process: there is no other.
            let _ = Instrumentation::set_global_tracer_provider(provider.clone());
        }
        propagation::install(propagators.formats);
        if http_methods.is_some_and(|methods| set_known_http_methods(methods).is_err()) {
            tracing::warn!("a list of known HTTP methods is set already; it stays");
        }
        if let Some(value) = propagators.incomplete {
            tracing::warn!(
                value,
                "OTEL_PROPAGATORS: only tracecontext and baggage are installed"
            );
        }
        if let Some(value) = unknown_exporters {
            tracing::warn!(value, "OTEL_TRACES_EXPORTER: only otlp and none are known");
        }
        if let Some(variables) = unsupported {
            tracing::warn!(variables, "set, but not supported: they have no effect");
        }
        Ok(Self {
            provider,
            export,
            shutdown_timeout,
        })
    }

    /// The tracer provider, which is OpenTelemetry's global one too. There is none if
    /// `OTEL_SDK_DISABLED` is true.
    #[must_use]
    pub fn tracer_provider(&self) -> Option<&SdkTracerProvider> {
        self.provider.as_ref()
    }

    /// Sends every span that has ended, and waits for it at most 5 s. Blocks the thread.
    ///
    /// # Errors
    ///
    /// Those of [`shutdown`](Self::shutdown), for this flush.
    pub fn flush(&self) -> Result<(), ShutdownError> {
        self.export
            .as_ref()
            .map_or(Ok(()), |export| settle(export, || export.batches.flush()))
    }

    /// Sends every span that has ended, and ends telemetry.
    ///
    /// Blocks the thread, for at most the [shutdown timeout](Builder::shutdown_timeout) and a
    /// second. It is safe anywhere, on a current-thread runtime too: nothing in it waits for the
    /// application's runtime. Dropping the guard does the same and logs the error.
    ///
    /// First of all it calls [`begin_shutdown`]: what ends unfinished from then on ends as
    /// `shutdown`, not as cancelled by its consumer.
    ///
    /// # Errors
    ///
    /// If requests of this shutdown failed or were not answered in time. It does not count what was
    /// lost before: failed requests are logged when they fail, and spans that were dropped because
    /// a queue was full when the first one is and, with their number, at shutdown. Nor does it
    /// count what a collector rejects of a request that it accepts (a partial success), which is
    /// logged too.
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ShutdownError> {
        begin_shutdown();
        let export = self.export.take();
        let result = export.as_ref().map_or(Ok(()), |export| {
            settle(export, || export.batches.shutdown(self.shutdown_timeout))
        });
        if let Some(provider) = self.provider.take() {
            // There is nothing left to send; from now on its spans record nothing.
            let _ = provider.shutdown_with_timeout(Duration::ZERO);
        }
        if let Some(export) = export {
            export.thread.stop(THREAD_TIMEOUT);
        }
        result
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "telemetry was not shut down cleanly");
        }
    }
}

fn start_export(traces: &Traces) -> Result<Option<Export>, InitError> {
    if traces.targets.is_empty() {
        return Ok(None);
    }
    Export::start(&traces.targets, traces.batching, &traces.resource).map(Some)
}

fn provider(traces: Traces, export: Option<&Export>) -> SdkTracerProvider {
    // The SDK reads the sampler's variables again, and warns about what we do understand.
    let builder = silently(TracerProviderBuilder::default)
        .with_sampler(traces.sampler)
        .with_id_generator(RootIds)
        .with_span_limits(traces.limits)
        .with_resource(traces.resource);
    match export {
        Some(export) => builder
            .with_span_processor(ToBatches(export.batches.clone()))
            .build(),
        None => builder.build(),
    }
}

/// Keeps out of the logs what OpenTelemetry says meanwhile.
fn silently<T>(run: impl FnOnce() -> T) -> T {
    dispatcher::with_default(&Dispatch::none(), run)
}

/// Runs a flush or a shutdown, and finds out what it lost: the SDK does not tell.
fn settle(export: &Export, run: impl FnOnce() -> Result<(), Failed>) -> Result<(), ShutdownError> {
    let before = export.unsent.spans();
    let result = run();
    let spans = export.unsent.spans() - before;
    match (result, export.unsent.take_last()) {
        (
            Err(Failed {
                endpoint,
                error: OTelSdkError::Timeout(timeout),
            }),
            _,
        ) => Err(ShutdownError::Timeout {
            timeout,
            endpoint: endpoint.as_ref().into(),
        }),
        (_, Some((endpoint, source))) if spans > 0 => Err(ShutdownError::Unsent {
            spans,
            endpoint: endpoint.as_ref().into(),
            source,
        }),
        (Ok(()), _) => Ok(()),
        (Err(failed), _) if matches!(failed.error, OTelSdkError::AlreadyShutdown) => Ok(()),
        (Err(failed), _) => Err(ShutdownError::Processor(failed.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_can_be_shared() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Telemetry>();
    }
}
