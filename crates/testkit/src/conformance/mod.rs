//! The conformance suite: what every adapter has to do alike, whatever its transport.
//!
//! An adapter implements [`Harness`] in its tests, over real sockets and servers, and
//! instantiates every check as a test of its own with
//! [`conformance_tests!`](crate::conformance_tests):
//!
//! ```ignore
//! mod conformance {
//!     dynamo_trace_testkit::conformance_tests!(super::NatsHarness);
//! }
//! ```

mod harness;
mod work;

pub use harness::{Handles, Harness, Provider, RawError, Traits};
pub use work::{Work, WorkError};
