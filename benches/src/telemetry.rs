//! What a process has installed while it is measured.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use clap::ValueEnum;
use dynamo_trace_core::Instrumentation;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tracing_subscriber::layer::SubscriberExt;

const TRACE_ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const PARENT_ID: u64 = 0xb7ad_6b71_6920_3331;

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Nothing at all.
    None,
    /// The SDK; the caller does not sample, so nobody does.
    Unsampled,
    /// The SDK, recording each span and dropping it at its end.
    Sampled,
}

/// What a contender records with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// OpenTelemetry's globals.
    OpenTelemetry,
    /// These, and `tracing` on top.
    Tracing,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Unsampled, Self::Sampled];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unsampled => "unsampled",
            Self::Sampled => "sampled",
        }
    }

    /// What the caller sends.
    pub(crate) fn traceparent(self) -> String {
        let flags = u8::from(self != Self::Unsampled);
        format!("00-{TRACE_ID:032x}-{PARENT_ID:016x}-{flags:02x}")
    }

    pub(crate) fn provider(self) -> SdkTracerProvider {
        let sampler = match self {
            Self::Sampled => Sampler::AlwaysOn,
            _ => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
        };
        SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_span_processor(Discard)
            .build()
    }

    pub(crate) fn install(self, needs: Needs) -> anyhow::Result<()> {
        if self == Self::None || needs == Needs::Nothing {
            return Ok(());
        }
        let provider = self.provider();
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(provider.clone());
        // As set-up with dynamo-trace does.
        let _ = Instrumentation::set_global_tracer_provider(provider.clone());
        if needs == Needs::Tracing {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::set_global_default(subscriber)?;
        }
        Ok(())
    }
}

static ENDED: AtomicUsize = AtomicUsize::new(0);
static CHILDREN: AtomicUsize = AtomicUsize::new(0);

/// How many sampled spans have ended, and how many of them were children of the caller's.
pub(crate) fn ended() -> [usize; 2] {
    [&ENDED, &CHILDREN].map(|spans| spans.load(Relaxed))
}

/// Drops each ended span.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let child = span.span_context.trace_id() == TraceId::from(TRACE_ID)
            && span.parent_span_id == SpanId::from(PARENT_ID);
        ENDED.fetch_add(1, Relaxed);
        CHILDREN.fetch_add(usize::from(child), Relaxed);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
