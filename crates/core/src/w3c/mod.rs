//! The W3C formats: pure functions and small types, no I/O, no OpenTelemetry.
//!
//! `traceparent` and `tracestate` follow [Trace Context Level 2], `baggage` follows [W3C Baggage].
//! Every reader takes bytes as they stand on the wire and accepts exactly what the
//! specification allows.
//!
//! [Trace Context Level 2]: https://www.w3.org/TR/trace-context-2/
//! [W3C Baggage]: https://www.w3.org/TR/baggage/

pub mod baggage;
mod traceparent;
mod tracestate;

pub use traceparent::{Flags, InvalidTraceParent, TraceParent};
pub use tracestate::{InvalidTraceState, TraceState};

/// Strips optional white space (SP and HTAB, nothing else) from both ends.
fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
