use super::Codec;
use super::header::Header;
use crate::error::CodecError;
use crate::frame::{Carried, Frame};
use bytes::BytesMut;
use dynamo_trace_core::ContextBlockBuf;
use tokio_util::codec::Encoder;

impl Encoder<Frame> for Codec {
    type Error = CodecError;

    /// Appends the frame, in one piece.
    ///
    /// # Errors
    ///
    /// [`CodecError::PayloadTooLong`]; nothing is written then.
    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        let Frame { payload, context } = frame;
        let block = match context {
            Carried::None => ContextBlockBuf::default(),
            Carried::Block(block) => block,
            Carried::Context(cx) => {
                let mut block = ContextBlockBuf::default();
                let instrumentation = &self.settings.instrumentation;
                instrumentation.propagation().inject(&cx, &mut block);
                block
            }
        };
        let block = block.as_bytes();
        let header = Header::new(block.len(), payload.len(), self.max_payload)?;
        out.reserve(header.frame_len());
        header.write(out);
        out.extend_from_slice(block);
        out.extend_from_slice(&payload);
        Ok(())
    }
}
