use super::Codec;
use super::header::Header;
use super::rejected;
use crate::error::CodecError;
use bytes::{Buf, Bytes, BytesMut};
use dynamo_trace_core::received::Delivery;
use dynamo_trace_core::{ContextBlock, Received, Remote};
use std::sync::Arc;
use tokio_util::codec::Decoder;

/// How much room is made at once for what a header announces; the rest is made as bytes arrive.
const MAX_RESERVE: usize = 64 * 1024;

impl Decoder for Codec {
    type Item = Received<Bytes>;
    type Error = CodecError;

    /// Takes the first frame off `bytes`, once it is there as a whole.
    ///
    /// # Errors
    ///
    /// [`CodecError::Version`], [`CodecError::PayloadTooLong`] and [`CodecError::ContextTooLong`].
    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        let Some(header) = Header::read(bytes, self.max_payload)? else {
            return Ok(None);
        };
        let missing = header.frame_len().saturating_sub(bytes.len());
        if missing > 0 {
            bytes.reserve(missing.min(MAX_RESERVE));
            return Ok(None);
        }
        bytes.advance(Header::LEN);
        let remote = self.read_context(bytes.get(..header.context_len()).unwrap_or_default());
        bytes.advance(header.context_len());
        let payload = bytes.split_to(header.payload_len()).freeze();
        let (delivery, consumer) = (Delivery::default(), Arc::clone(&self.settings));
        Ok(Some(Received::new(payload, remote, delivery, consumer)))
    }

    /// Like [`decode`](Self::decode), at the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of `decode`, and [`CodecError::Truncated`] if the stream ended inside a frame.
    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => Err(CodecError::Truncated(bytes.len())),
            decoded => Ok(decoded),
        }
    }
}

impl Codec {
    /// The sender that a context block tells of. A broken block, such as one of a later version,
    /// tells of none: propagation never costs the application a payload.
    fn read_context(&self, block: &[u8]) -> Remote {
        if block.is_empty() {
            return Remote::default();
        }
        let block = match ContextBlock::parse(block) {
            Ok(block) => block,
            Err(error) => {
                rejected::context_block(&error);
                return Remote::default();
            }
        };
        let propagation = self.settings.instrumentation.propagation();
        propagation.remote(&block, &self.settings.trust)
    }
}
