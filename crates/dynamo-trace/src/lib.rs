//! OpenTelemetry trace context across every boundary of a distributed inference stack.
//!
//! One crate to depend on; each adapter is a feature:
//!
//! | feature | module | boundary |
//! |---|---|---|
//! | `http`, `axum` | `http` | tower layers for HTTP servers and clients |
//! | `reqwest` | `http::reqwest` | the middleware for reqwest's clients |
//! | `grpc` | `grpc` | tower layers for tonic |
//! | `metrics` | `http`, `grpc` | durations and active requests |
//! | `nats` | `nats` | async-nats |
//! | `etcd` | `etcd` | etcd-client |
//! | `frame` | `frame` | framed TCP |
//! | `sdk` | `sdk` | set-up: environment, export, logs |
//!
//! What they share ([`Propagation`], [`Trust`], [`Received`], carriers) is in
//! [`core`](dynamo_trace_core) and re-exported here.

#[doc(inline)]
pub use dynamo_trace_core::*;

#[cfg(feature = "etcd")]
#[doc(inline)]
pub use dynamo_trace_etcd as etcd;
#[cfg(feature = "frame")]
#[doc(inline)]
pub use dynamo_trace_frame as frame;
#[cfg(feature = "grpc")]
#[doc(inline)]
pub use dynamo_trace_grpc as grpc;
#[cfg(feature = "http")]
#[doc(inline)]
pub use dynamo_trace_http as http;
#[cfg(feature = "nats")]
#[doc(inline)]
pub use dynamo_trace_nats as nats;
#[cfg(feature = "sdk")]
#[doc(inline)]
pub use dynamo_trace_sdk as sdk;

/// The example of the README compiles.
#[cfg(all(doctest, feature = "axum", feature = "nats", feature = "sdk"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
