//! The client against a real `nats-server`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test"
)]

mod conformance;
mod faults;
mod hostile;
mod jetstream;
mod kv;
mod object_store;
mod publish;
mod replies;
mod request;
mod service;
mod subscribe;
mod support;
mod templates;
mod traits;
