//! An adapter that is used while the SDK is set up. In a test binary of its own, since it sets the
//! globals.

use dynamo_trace_core::{Instrumentation, Propagation};
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::trace::noop::NoopTracer;
use opentelemetry::trace::{SpanBuilder, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Sets up an SDK just when it was found that there is none.
#[derive(Debug)]
struct SetsUp;

impl TracerProvider for SetsUp {
    type Tracer = BoxedTracer;

    fn tracer_with_scope(&self, _: InstrumentationScope) -> BoxedTracer {
        let provider = SdkTracerProvider::builder().build();
        assert!(Instrumentation::set_global_tracer_provider(provider).is_ok());
        assert!(Propagation::w3c().set_global().is_ok());
        BoxedTracer::new(Box::new(NoopTracer::new()))
    }
}

#[test]
fn an_sdk_that_is_set_up_meanwhile_is_found() {
    global::set_tracer_provider(SetsUp);
    let early = Instrumentation::global("test", "0");
    let records = || {
        let builder = SpanBuilder::from_name("span");
        early.start(builder, &Context::new()).is_recording()
    };
    assert!(!records());
    assert!(records());
}
