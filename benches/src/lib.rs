//! What the tower layers cost, beside those of others: in one process, without sockets, one
//! request at a time. And what the NATS and etcd clients cost, with real servers.
//!
//! Tracer providers and subscribers are global, so each contender is measured in a process of its
//! own for each mode. The processes take turns, and each turn is compared with the bare service's
//! of the same round: what slows the machine for a while slows both.

mod calls;
mod child;
mod contender;
mod etcd;
mod grpc;
mod http;
mod nats;
mod process;
mod rounds;
mod table;
mod telemetry;

pub use child::{Child, Meter};
pub use rounds::Options;
