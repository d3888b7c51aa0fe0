//! The HTTP semantic conventions (stable), and what this library adds for streams.

pub use opentelemetry_semantic_conventions::attribute::{
    CLIENT_ADDRESS, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_PATH,
    URL_QUERY, URL_SCHEME, USER_AGENT_ORIGINAL,
};

/// From the start of the request to the first chunk of a token stream, in seconds.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// How many chunks a streamed body had.
pub const STREAM_CHUNKS: &str = "dynamo_trace.stream.chunks";
/// How many bytes a streamed body had.
pub const STREAM_BYTES: &str = "dynamo_trace.stream.bytes";
/// The longest time between two chunks of a streamed body, in seconds.
pub const STREAM_LONGEST_GAP: &str = "dynamo_trace.stream.longest_gap";
