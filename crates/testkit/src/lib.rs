//! Test kit for tracing: an OTLP receiver, and traces as text trees.
//!
//! [`Receiver`] takes spans from any OpenTelemetry exporter, over gRPC and HTTP on one port, and
//! keeps every field of them. Tests wait for a condition on what arrived, never for a time.
//! [`Tree`] shows spans as an indented text: what an assertion compares and what a person reads.
//!
//! ```
//! use std::time::Duration;
//! use dynamo_trace_testkit::{Receiver, Tree};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let receiver = Receiver::start().await?;
//! // OTEL_EXPORTER_OTLP_ENDPOINT of the processes under test:
//! let endpoint = receiver.endpoint();
//!
//! // .. run what is under test ..
//!
//! let spans = receiver.wait_for_spans(2, Duration::from_secs(10)).await?;
//! assert_eq!(Tree::new(&spans).render_sorted(), "\
//! SERVER POST /v1/chat/completions  frontend
//!   CLIENT generate  frontend
//! ");
//! # Ok(())
//! # }
//! ```

pub mod conformance;
pub mod receiver;
pub mod servers;
pub mod span;
pub mod span_log;
pub mod tree;
mod value;
pub mod vectors;

#[doc(inline)]
pub use self::{
    receiver::{Receiver, Timeout},
    span::{Span, SpanKind},
    tree::{Tree, analyse},
    value::{Attributes, Value},
};
