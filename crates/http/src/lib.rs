//! Tower layers that carry trace context over HTTP.
//!
//! - [`ServerLayer`]: for axum, or any tower HTTP service. The span is named
//!   `{method} {route}` and ends when the response *body* ends.
//! - [`ClientLayer`]: for any tower HTTP client. The span is named `{method}` and ends when the
//!   response head arrives.
//!
//! What crosses the wire: the headers `traceparent`, `tracestate` and `baggage` (W3C Trace
//! Context Level 2, W3C Baggage).
//!
//! ```
//! use axum::{Router, routing::get};
//! use dynamo_trace_http::ServerLayer;
//!
//! let app: Router = Router::new()
//!     .route("/models/{model}", get(async || "ready"))
//!     .layer(ServerLayer::new());
//! ```
//!
//! [`engine`] is the one service, future and body behind them, which gRPC shares.

pub mod attributes;
pub mod engine;
mod redact;
mod semantics;

pub use engine::side::{Client, Server};
pub use semantics::Http;

/// Spans of an HTTP server. See the [crate](crate) documentation.
pub type ServerLayer = engine::TraceLayer<Server, Http>;

/// Spans of an HTTP client, one for every send. See the [crate](crate) documentation.
pub type ClientLayer = engine::TraceLayer<Client, Http>;
