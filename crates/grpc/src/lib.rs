//! Tower layers that carry trace context over gRPC.
//!
//! - [`ServerLayer`]: for `tonic::transport::Server::layer`, or one service.
//! - [`ClientLayer`]: around a `tonic::transport::Channel`.
//!
//! The span is named `{package}.{Service}/{Method}`, covers the whole call with its streams, and
//! takes its status from the trailers. What crosses the wire: the metadata `traceparent`,
//! `tracestate` and `baggage` (W3C Trace Context Level 2, W3C Baggage).
//!
//! ```no_run
//! use dynamo_trace_grpc::{ClientLayer, ServerLayer};
//! use tonic::transport::{Channel, Server};
//! use tower_layer::Layer;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder().layer(ServerLayer::new());
//! let channel = Channel::from_static("http://[::1]:50051").connect().await?;
//! let channel = ClientLayer::new().layer(channel);
//! # Ok(())
//! # }
//! ```
//!
//! The engine is that of [`dynamo_trace_http::engine`].

pub mod attributes;
mod carrier;
mod deadline;
mod error;
mod semantics;
pub mod status;

pub use carrier::{Metadata, MetadataMut};
pub use semantics::Grpc;

use dynamo_trace_http::engine::TraceLayer;
use dynamo_trace_http::{Client, Server};

/// Spans of a gRPC server. See the [crate](crate) documentation.
pub type ServerLayer = TraceLayer<Server, Grpc>;

/// Spans of a gRPC client. See the [crate](crate) documentation.
pub type ClientLayer = TraceLayer<Client, Grpc>;
