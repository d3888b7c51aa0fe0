//! Spans of what the broker does, against a real `nats-server` of version 2.11 or later.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test"
)]

mod hops;
mod hostile;
mod permissions;
mod renamed;
mod sampling;
mod servers;
mod stream;
mod support;
mod task;
