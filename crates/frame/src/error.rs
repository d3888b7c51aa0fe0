use dynamo_trace_core::ContextBlock;
use std::borrow::Cow;
use std::io;

/// A frame that cannot be sent or read, or a connection that failed.
///
/// Whoever owns the connection decides what becomes of it. After an error of reading the place of
/// the next frame is not known, and `tokio_util`'s `Framed` ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The frame begins with a version that this codec does not know.
    #[error("frame version {0}; this codec knows version 1")]
    Version(u8),
    /// The payload is longer than the limit of the codec; nothing of it was read or written.
    #[error("frame payload of {length} bytes; at most {max} are allowed")]
    PayloadTooLong {
        /// The length that the frame has or announces, in bytes.
        length: usize,
        /// [`Codec::max_payload`](crate::Codec::max_payload), in bytes.
        max: usize,
    },
    /// The header announces a context block of this many bytes, more than
    /// [`ContextBlock::MAX_LEN`]; nothing of it was read. A block that is merely broken is no
    /// error: its frame arrives without a sender to relate to.
    #[error("context block of {0} bytes; at most {max} are allowed", max = ContextBlock::MAX_LEN)]
    ContextTooLong(usize),
    /// The stream ended inside a frame.
    #[error("the stream ended after {0} bytes of a frame")]
    Truncated(usize),
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

impl CodecError {
    /// The value of `error.type`.
    pub(crate) fn error_type(&self) -> Cow<'static, str> {
        match self {
            Self::Version(_) => "Version".into(),
            Self::PayloadTooLong { .. } => "PayloadTooLong".into(),
            Self::ContextTooLong(_) => "ContextTooLong".into(),
            Self::Truncated(_) => "Truncated".into(),
            Self::Io(error) => format!("{:?}", error.kind()).into(),
        }
    }
}
