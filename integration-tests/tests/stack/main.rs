//! The whole path: the demo's five kinds of processes with real nats-server and etcd.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod concurrent;
mod context;
mod crash;
mod support;
mod tree;
