use crate::error::CodecError;
use bytes::{BufMut, BytesMut};
use dynamo_trace_core::ContextBlock;

const VERSION: u8 = 1;

/// The fixed part of a frame: the lengths of what follows, within their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    context: u16,
    payload: u32,
}

impl Header {
    pub(super) const LEN: usize = 7;

    /// Checks the lengths of a frame.
    pub(super) fn new(
        context: usize,
        payload: usize,
        max_payload: usize,
    ) -> Result<Self, CodecError> {
        let too_long = CodecError::PayloadTooLong {
            length: payload,
            max: max_payload,
        };
        if payload > max_payload {
            return Err(too_long);
        }
        let context_too_long = CodecError::ContextTooLong(context);
        if context > ContextBlock::MAX_LEN {
            return Err(context_too_long);
        }
        Ok(Self {
            context: u16::try_from(context).map_err(|_| context_too_long)?,
            payload: u32::try_from(payload).map_err(|_| too_long)?,
        })
    }

    /// Reads the front of `bytes`; `None` until there is enough of it.
    pub(super) fn read(bytes: &[u8], max_payload: usize) -> Result<Option<Self>, CodecError> {
        match bytes.first_chunk() {
            Some(&[VERSION, c0, c1, p0, p1, p2, p3]) => {
                let context = u16::from_be_bytes([c0, c1]);
                let payload = u32::from_be_bytes([p0, p1, p2, p3]);
                let payload = usize::try_from(payload).unwrap_or(usize::MAX);
                Self::new(context.into(), payload, max_payload).map(Some)
            }
            // A stranger's first byte is enough to tell.
            _ => match bytes.first() {
                None | Some(&VERSION) => Ok(None),
                Some(&version) => Err(CodecError::Version(version)),
            },
        }
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        out.put_u16(self.context);
        out.put_u32(self.payload);
    }

    pub(super) const fn context_len(self) -> usize {
        self.context as usize
    }

    pub(super) const fn payload_len(self) -> usize {
        self.payload as usize
    }

    /// Of the whole frame. Saturates where a `usize` has 32 bits: no buffer is that long.
    pub(super) const fn frame_len(self) -> usize {
        self.payload_len()
            .saturating_add(Self::LEN + self.context_len())
    }
}
