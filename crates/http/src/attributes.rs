//! The HTTP semantic conventions (stable), and what this library adds for streams.

pub use dynamo_trace_core::span::attributes::{
    STREAM_BYTES, STREAM_CHUNKS, STREAM_LONGEST_GAP, STREAM_TIME_TO_FIRST_CHUNK,
    TIME_TO_FIRST_CHUNK,
};
pub use opentelemetry_semantic_conventions::attribute::{
    CLIENT_ADDRESS, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_REQUEST_RESEND_COUNT,
    HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT,
    NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_PATH, URL_QUERY,
    URL_SCHEME, USER_AGENT_ORIGINAL,
};

/// Bytes of the request body, as `content-length` has them. Opt-in.
pub const HTTP_REQUEST_BODY_SIZE: &str = "http.request.body.size";
/// Bytes of the response body that were read. Opt-in.
pub const HTTP_RESPONSE_BODY_SIZE: &str = "http.response.body.size";
/// What the URL of a client's request was made of. Opt-in.
pub const URL_TEMPLATE: &str = "url.template";

/// The most bytes of a value that the other side chooses: of a path, a query, a URL, a user agent,
/// a host or an unknown method.
pub const MAX_LEN: usize = 2048;

/// The beginning of a text, of at most this many bytes and of whole characters.
#[must_use]
pub fn cut(text: &str, max_len: usize) -> &str {
    let mut end = max_len;
    loop {
        // The beginning of a text is always one.
        match text.get(..end) {
            Some(start) => return start,
            None if end > text.len() => return text,
            None => end -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (max_len, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aé")] {
            assert_eq!(cut("aé", max_len), expected, "{max_len}");
        }
    }
}
