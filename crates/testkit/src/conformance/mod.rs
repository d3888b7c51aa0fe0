//! The conformance suite: what every adapter has to do alike, whatever its transport.
//!
//! An adapter implements [`Harness`] in its tests, over real sockets and servers, and
//! instantiates every check as a test of its own with
//! [`conformance_tests!`](crate::conformance_tests):
//!
//! ```text
//! mod conformance {
//!     dynamo_trace_testkit::conformance_tests!(super::NatsHarness);
//! }
//! ```

mod bench;
mod caller;
mod checks;
mod harness;
mod spans;
mod wait;
mod work;

pub use checks::*;
pub use harness::{Handles, Harness, Provider, RawError, Traits};
pub use work::{Work, WorkError};

/// Instantiates every check of the suite for a [`Harness`](crate::conformance::Harness), each as a test
/// of its own. The crate needs `tokio` with `macros` and `rt-multi-thread`.
///
/// For several harnesses in one file, use it in a module for each.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:ty) => {
        $crate::conformance_tests! { @each $harness,
            ids_arrive
            no_context_starts_a_root
            flags_arrive
            tracestate_arrives
            baggage_arrives
            context_passes_through_without_sdk
            traceparent_vectors
            tracestate_vectors
            baggage_vectors
            repeated_fields_count
            field_names_compare_in_any_case
            a_baggage_bomb_is_dropped
            spans_end_on_success
            spans_end_on_error
            spans_end_on_cancel
            spans_end_on_stop
            context_is_current_across_yields
            interleaved_sends_never_mix
            payload_is_untouched
        }

        #[tokio::test(flavor = "current_thread")]
        async fn context_is_gone_afterwards() {
            $crate::conformance::context_is_gone_afterwards::<$harness>().await;
        }
    };
    (@each $harness:ty, $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            $crate::conformance::$check::<$harness>().await;
        }
    )*};
}
