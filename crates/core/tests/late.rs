//! An adapter that is used before the SDK is set up. In a test binary of its own, since it sets
//! the globals.

use dynamo_trace_core::{Instrumentation, Propagation};
use opentelemetry::trace::SpanBuilder;
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::SdkTracerProvider;

#[test]
fn an_early_user_finds_the_sdk_that_is_set_up_later() {
    let early = Instrumentation::global("test", "0");
    let records = || {
        let builder = SpanBuilder::from_name("span");
        early.start(builder, &Context::new()).is_recording()
    };
    assert!(!records());
    global::set_tracer_provider(SdkTracerProvider::builder().build());
    assert!(!records(), "nobody has told yet");
    assert!(Propagation::w3c().set_global().is_ok());
    assert!(records());
    assert!(Propagation::w3c().set_global().is_err());
}
