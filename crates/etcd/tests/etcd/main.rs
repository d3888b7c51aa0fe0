//! The client against a real etcd.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod auth;
mod bench;
mod companions;
mod events;
mod methods;
mod same;
mod spans;
mod tap;
mod watches;
