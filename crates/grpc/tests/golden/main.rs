//! What the RPC semantic conventions say of gRPC, one rule a test: names, statuses, errors, both
//! ends, durations, and the lists of attributes as a whole.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their tests")]

mod bench;
mod duration;
mod lists;
mod methods;
mod sampling;
mod servers;
mod statuses;
