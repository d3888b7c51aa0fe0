//! Spans that end exactly once, and futures and streams that run inside them.

mod ending;
mod future;
mod guard;
mod interned;
mod name;
mod shared;
mod shutdown;
mod stream;
mod summary;
mod unwind;
mod verdict;

pub use ending::Ending;
pub use future::InSpan;
pub use guard::SpanGuard;
pub use interned::{Interned, Recent};
pub use name::span_name;
pub use shared::{SharedText, shared_text};
pub use shutdown::begin_shutdown;
pub use stream::StreamInSpan;
pub use summary::StreamSummary;
pub use unwind::OnUnwind;
pub use verdict::Verdict;

/// Attributes that this library adds where the semantic conventions have none.
pub mod attributes {
    /// How the work of a span ended, where it did not complete: `failed`, `cancelled` or
    /// `shutdown`.
    pub const ENDING: &str = "dynamo_trace.ending";
    /// The class of the failure: a status code or a type name, of low cardinality.
    pub const ERROR_TYPE: &str = "error.type";
    /// From the start of the request to the first chunk of a token stream, in seconds.
    pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    /// From the start of the request to the first chunk of any other stream, in seconds.
    pub const STREAM_TIME_TO_FIRST_CHUNK: &str = "dynamo_trace.stream.time_to_first_chunk";
    /// How many chunks a stream had.
    pub const STREAM_CHUNKS: &str = "dynamo_trace.stream.chunks";
    /// How many bytes a stream had.
    pub const STREAM_BYTES: &str = "dynamo_trace.stream.bytes";
    /// The longest time between two chunks of a stream, in seconds.
    pub const STREAM_LONGEST_GAP: &str = "dynamo_trace.stream.longest_gap";
}
