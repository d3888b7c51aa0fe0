//! The client against a real etcd.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod auth;
mod bench;
mod changes;
mod companions;
mod connections;
mod deletions;
mod discovery;
mod envelopes;
mod etcdctl;
mod events;
mod failover;
mod faults;
mod found;
mod keep_alives;
mod losses;
mod methods;
mod random;
mod resuming;
mod same;
mod server_spans;
mod spans;
mod sweeps;
mod tap;
mod templates;
#[cfg(feature = "tls")]
mod tls;
mod watches;
