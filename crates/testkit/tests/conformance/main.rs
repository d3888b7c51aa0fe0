//! The conformance suite against a channel within the process: all of it passes on sound
//! adapters, and each way to be wrong fails the check that is meant to see it.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod bare;
mod broken;
mod channel;

mod replying {
    dynamo_trace_testkit::conformance_tests!(crate::channel::Replying<{ crate::channel::SOUND }>);
}

mod without_spans {
    dynamo_trace_testkit::conformance_tests!(crate::bare::Bare<{ crate::channel::SOUND }>);
}

mod one_way {
    dynamo_trace_testkit::conformance_tests!(crate::channel::OneWay<{ crate::channel::SOUND }>);
}
