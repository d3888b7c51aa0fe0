//! Shutdown is said for the whole process; so this is the only test of its binary.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::Ending;
use dynamo_trace_core::span::begin_shutdown;
use opentelemetry::Context;
use opentelemetry::trace::SpanBuilder;
use support::{Sdk, ending};

#[test]
fn guards_that_are_dropped_later_say_shutdown() {
    let sdk = Sdk::new();
    let start = || {
        let builder = SpanBuilder::from_name("span");
        sdk.instrumentation.start(builder, &Context::new())
    };
    let (running, finished, hanging) = (start(), start(), start());
    drop(start());
    begin_shutdown();
    drop(running);
    finished.end(Ending::Complete);
    drop(hanging.run(std::future::pending::<()>()));
    let endings: Vec<_> = sdk.ended().iter().map(ending).collect();
    assert_eq!(endings, ["cancelled", "shutdown", "complete", "shutdown"]);
}
