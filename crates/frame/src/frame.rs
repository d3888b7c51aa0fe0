use bytes::Bytes;
use dynamo_trace_core::{ContextBlockBuf, Propagation, Trust};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, TraceContextExt};

/// A frame to send: a payload, with or without a context.
///
/// ```
/// use dynamo_trace_core::{CarrierMut, ContextBlockBuf, Field};
/// use dynamo_trace_frame::Frame;
///
/// let token = Frame::new("Hello");
/// let request = Frame::traced("generate");
///
/// let mut block = ContextBlockBuf::default();
/// block.set_field(Field::Baggage, "tenant=a");
/// let foreign = Frame::with_block("generate", block);
/// ```
#[derive(Clone, Debug)]
#[must_use = "frames do nothing unless sent"]
pub struct Frame {
    pub(crate) payload: Bytes,
    pub(crate) context: Carried,
}

/// The context of a frame; in fields only when it is encoded.
#[derive(Clone, Debug)]
pub(crate) enum Carried {
    None,
    Context(Context),
    Block(ContextBlockBuf),
}

impl Frame {
    /// A frame without a context: what most frames of a stream are. Costs nothing.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            context: Carried::None,
        }
    }

    /// A frame that carries `cx`, which the codec's propagation writes. No span starts.
    pub fn with_context(payload: impl Into<Bytes>, cx: &Context) -> Self {
        let empty = !cx.span().span_context().is_valid() && cx.baggage().is_empty();
        Self {
            payload: payload.into(),
            context: if empty {
                Carried::None
            } else {
                Carried::Context(cx.clone())
            },
        }
    }

    /// A frame that carries the current context. No span starts.
    pub fn traced(payload: impl Into<Bytes>) -> Self {
        Context::map_current(|cx| Self::with_context(payload, cx))
    }

    /// A frame that carries these fields as they are, such as those of a message that is passed
    /// on.
    pub fn with_block(payload: impl Into<Bytes>, block: ContextBlockBuf) -> Self {
        Self {
            payload: payload.into(),
            context: if block.is_empty() {
                Carried::None
            } else {
                Carried::Block(block)
            },
        }
    }

    /// The payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Whether the frame carries a context.
    #[must_use]
    pub const fn has_context(&self) -> bool {
        !matches!(self.context, Carried::None)
    }

    /// The span that the frame's author made it in.
    pub(crate) fn creation(&self, propagation: &Propagation) -> Option<Link> {
        match &self.context {
            Carried::None => None,
            Carried::Context(cx) => {
                let span = cx.span().span_context().clone();
                span.is_valid().then(|| Link::new(span, Vec::new(), 0))
            }
            Carried::Block(block) => propagation.remote(block, &Trust::linked()).to_link(),
        }
    }
}

impl<P: Into<Bytes>> From<P> for Frame {
    fn from(payload: P) -> Self {
        Self::new(payload)
    }
}
