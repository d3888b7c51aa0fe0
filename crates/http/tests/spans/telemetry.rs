use dynamo_trace_core::Propagation;
use dynamo_trace_http::axum::{self, Axum};
use dynamo_trace_http::engine::Custom;
use dynamo_trace_http::{ClientLayer, Http, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
pub(crate) use dynamo_trace_testkit::span_log::{assert_child, attribute, ending, text};
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::ops::Deref;

/// Where the spans of one test go.
#[derive(Clone)]
pub(crate) struct Telemetry {
    log: SpanLog,
    pub(crate) provider: SdkTracerProvider,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let log = SpanLog::default();
        let provider = log.provider();
        Self { log, provider }
    }

    /// For axum's routers.
    pub(crate) fn axum(&self) -> axum::ServerLayer<Custom<Http<Axum>>> {
        axum::ServerLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    /// For any service.
    pub(crate) fn server(&self) -> ServerLayer<Custom<Http>> {
        ServerLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    pub(crate) fn client(&self) -> ClientLayer<Custom<Http>> {
        ClientLayer::new()
            .with_tracer_provider(&self.provider)
            .with_propagation(Propagation::w3c())
    }

    /// A span of the caller's own, which counts when it ends.
    pub(crate) fn caller(&self) -> Context {
        Context::new().with_span(self.provider.tracer("test").start("caller"))
    }
}

impl Deref for Telemetry {
    type Target = SpanLog;

    fn deref(&self) -> &SpanLog {
        &self.log
    }
}
