//! The client against a real etcd.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod auth;
mod bench;
mod companions;
mod connections;
mod discovery;
mod etcdctl;
mod events;
mod failover;
mod faults;
mod keep_alives;
mod methods;
mod random;
mod same;
mod server_spans;
mod spans;
mod tap;
mod templates;
#[cfg(feature = "tls")]
mod tls;
mod watches;
