//! The request/response engine: one service, one future, one body, for HTTP and gRPC, server and
//! client.
//!
//! - `call`: a [`Side`] extracts the caller's context or takes the current one, and
//!   [`Semantics`] name the span. On the client side the span's context goes into the headers.
//!   The inner service's `call` and its future run with the span current.
//! - response head: semantics tell whether the span ends with it or with the body. It ends with
//!   the head where nobody reads a body (RFC 9110, 6.4.1).
//! - response body: polled with the span current, to its last poll. It ends the span once: at
//!   the end of the stream, at the trailers, at an error, or when it is dropped. Where nobody
//!   records the call, a body that knows its exact length is passed on as it is: it holds its
//!   data already, or passes on another's.
//! - a panic of what runs inside ends the span as failed while it unwinds; a drop before the end
//!   ends it as cancelled.

mod body;
mod call;
pub mod error;
mod filter;
mod future;
mod layer;
mod metrics;
mod open;
mod record;
mod semantics;
mod service;
mod settings;
pub mod side;
mod wrap;

pub use body::ResponseBody;
pub use dynamo_trace_core::span::StreamSummary;
pub use filter::RequestHead;
pub use future::ResponseFuture;
pub use layer::{Boundary, TraceLayer};
pub use record::Record;
pub use semantics::{Head, Measures, Semantics};
pub use service::Trace;
#[cfg(feature = "reqwest")]
pub(crate) use service::call;
pub use settings::{Configured, Custom, Defaults, Settings};
pub use side::Side;
pub use wrap::{AnyBody, WrapBody};
