//! Carries OpenTelemetry trace context across any boundary.
//!
//! This crate knows no transport and no SDK. It has
//! - the W3C formats ([`w3c`]): strict Trace Context Level 2 and Baggage;
//! - carriers ([`Carrier`], [`CarrierMut`]): where the fields live on a transport;
//! - propagation ([`Propagation`]): between carriers and [`opentelemetry::Context`], which works
//!   with no SDK installed: the incoming context then passes through to every outgoing call;
//! - trust ([`Trust`]): how far a boundary believes its callers;
//! - the span guard ([`SpanGuard`]): the only place where spans end, exactly once;
//! - received messages ([`Received`]): an item and the remote context that came with it.
//!
//! Adapters for HTTP, gRPC, NATS, etcd and frames build on it.

pub mod carrier;
mod instrumentation;
mod methods;
pub mod propagation;
pub mod received;
pub mod span;
mod trust;
pub mod w3c;

pub use carrier::{
    Carrier, CarrierMut, ContextBlock, ContextBlockBuf, Environment, Field, Fields, Found,
};
pub use instrumentation::{Detail, Instrumentation};
pub use methods::{known_http_methods, set_known_http_methods};
pub use propagation::{Format, Propagation, Rejected, Remote};
pub use received::{Received, Relation};
pub use span::{Ending, SpanGuard};
pub use trust::Trust;
