//! What the tests of this crate share.
#![allow(
    dead_code,
    reason = "every test binary has this module, and none uses all of it"
)]

use dynamo_trace_core::{Instrumentation, Propagation};
use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{Context, Key};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracerProvider, ShouldSample, SpanData,
};
use std::collections::BTreeMap;

pub(crate) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const SPAN_ID: &str = "b7ad6b7169203331";

/// The sender's traceparent with these flags.
pub(crate) fn traceparent(flags: u8) -> String {
    format!("00-{TRACE_ID}-{SPAN_ID}-{flags:02x}")
}

pub(crate) type Sent = BTreeMap<String, String>;

/// Fields as a map carrier.
pub(crate) fn fields<const N: usize>(fields: [(&str, &str); N]) -> Sent {
    fields
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// A context that was received with these fields.
pub(crate) fn received<const N: usize>(of: [(&str, &str); N]) -> Context {
    Propagation::w3c().extract(&Context::new(), &fields(of))
}

/// What the next hop gets.
pub(crate) fn sent(context: &Context) -> Sent {
    let mut fields = Sent::new();
    Propagation::w3c().inject(context, &mut fields);
    fields
}

/// An SDK that keeps its spans in memory.
pub(crate) struct Sdk {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) instrumentation: Instrumentation,
    exporter: InMemorySpanExporter,
}

impl Sdk {
    pub(crate) fn new() -> Self {
        Self::sampling(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    pub(crate) fn sampling(sampler: impl ShouldSample + 'static) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_simple_exporter(exporter.clone())
            .build();
        let instrumentation = Instrumentation::global("test", "0")
            .with_tracer_provider(&provider)
            .with_propagation(Propagation::w3c());
        Self {
            provider,
            instrumentation,
            exporter,
        }
    }

    /// The spans that have ended.
    pub(crate) fn ended(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().expect("in memory")
    }

    /// The only span that has ended.
    pub(crate) fn span(&self) -> SpanData {
        let spans = self.ended();
        let [span] = spans.as_slice() else {
            panic!("one span, not {spans:#?}");
        };
        span.clone()
    }
}

/// Handles where no SDK is installed.
pub(crate) fn no_sdk() -> Instrumentation {
    Instrumentation::global("test", "0")
        .with_tracer_provider(&opentelemetry::trace::noop::NoopTracerProvider::new())
        .with_propagation(Propagation::w3c())
}

/// An attribute as text.
pub(crate) fn attribute(span: &SpanData, key: &'static str) -> Option<String> {
    let key = Key::from_static_str(key);
    let found = span.attributes.iter().find(|kv| kv.key == key)?;
    Some(found.value.as_str().into_owned())
}

/// The ending of a span, with `error.type` behind a failure; checks that the status fits.
pub(crate) fn ending(span: &SpanData) -> String {
    let ending = attribute(span, "dynamo_trace.ending");
    let error_type = attribute(span, "error.type");
    let failed = ending.as_deref() == Some("failed");
    assert_eq!(
        matches!(span.status, Status::Error { .. }),
        failed,
        "{span:#?}"
    );
    assert_eq!(error_type.is_some(), failed, "{span:#?}");
    let ending = ending.unwrap_or_else(|| "complete".to_owned());
    error_type.map_or(ending.clone(), |error| format!("{ending}: {error}"))
}

/// The spans that a span is linked to.
pub(crate) fn links(span: &SpanData) -> Vec<String> {
    let id = |link: &opentelemetry::trace::Link| link.span_context.span_id().to_string();
    span.links.iter().map(id).collect()
}

/// The parent of a span, if it has one.
pub(crate) fn parent(span: &SpanData) -> Option<String> {
    Some(span.parent_span_id)
        .filter(|id| *id != SpanId::INVALID)
        .map(|id| id.to_string())
}
