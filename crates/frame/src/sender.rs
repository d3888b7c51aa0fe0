use crate::attributes::{Operation, body_size};
use crate::error::CodecError;
use crate::frame::Frame;
use crate::outgoing::Outgoing;
use crate::settings::Settings;
use bytes::Bytes;
use dynamo_trace_core::{Ending, SpanGuard};
use futures_sink::Sink;
use opentelemetry::Context;
use opentelemetry::trace::SpanKind;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

/// Sends frames with a span. Made by [`Codec::sender`](crate::Codec::sender).
///
/// Frames that need no span go into the sink as they are: [`get_mut`](Self::get_mut).
#[derive(Debug)]
pub struct Sender<S> {
    sink: S,
    settings: Arc<Settings>,
}

impl<S> Sender<S> {
    pub(crate) const fn new(sink: S, settings: Arc<Settings>) -> Self {
        Self { sink, settings }
    }

    /// The sink.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The sink.
    pub fn into_inner(self) -> S {
        self.sink
    }
}

impl<S> Sender<S>
where
    S: Sink<Frame, Error = CodecError> + Unpin,
{
    /// Sends one message and flushes.
    ///
    /// The span is a PRODUCER, `send {destination}`, a child of the current one; the frame
    /// carries its context. It starts with the call and ends when the frame is flushed. A frame
    /// that carries a context already keeps it: the span is then a CLIENT and linked to it.
    ///
    /// # Errors
    ///
    /// [`CodecError::PayloadTooLong`], and [`CodecError::Io`] when the connection fails. The
    /// span then ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the span as cancelled. The frame is then not sent at all, or as
    /// a whole with the next flush of the sink.
    ///
    /// ```
    /// # async fn example(connection: tokio::net::TcpStream) -> Result<(), dynamo_trace_frame::CodecError> {
    /// use dynamo_trace_frame::Codec;
    /// use tokio_util::codec::FramedWrite;
    ///
    /// let codec = Codec::new().destination("requests");
    /// let mut requests = codec.sender(FramedWrite::new(connection, codec.clone()));
    /// requests.send("generate").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(
        &mut self,
        frame: impl Into<Frame>,
    ) -> impl Future<Output = Result<(), CodecError>> {
        let frame = frame.into();
        let (guard, frame) = self.start(frame);
        guard.set_attributes([body_size(frame.payload.len())]);
        let sink = &mut self.sink;
        async move {
            let sent = write(sink, frame).await;
            guard.end(ending(&sent));
            sent
        }
    }

    /// Begins a response of many frames: sends the first one with the context, and flushes.
    ///
    /// The span, as that of [`send`](Self::send), starts with the call and covers the whole
    /// response; see [`Outgoing`].
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send). The sink is dropped then, if it is not a `&mut`.
    ///
    /// # Cancel safety
    ///
    /// That of [`send`](Self::send). The sink is dropped, if it is not a `&mut`.
    pub fn open(
        self,
        first: impl Into<Bytes>,
    ) -> impl Future<Output = Result<Outgoing<S>, CodecError>> {
        let (guard, frame) = self.start(Frame::new(first));
        let mut out = Outgoing::new(self.sink, guard);
        async move {
            out.write_first(frame).await?;
            Ok(out)
        }
    }

    fn start(&self, frame: Frame) -> (SpanGuard, Frame) {
        let Settings {
            instrumentation,
            connection,
            ..
        } = &*self.settings;
        let current = Context::current();
        if frame.has_context() {
            let mut builder = connection.span(Operation::Send, SpanKind::Client);
            builder.links = frame
                .creation(instrumentation.propagation())
                .map(|link| vec![link]);
            return (instrumentation.start(builder, &current), frame);
        }
        let builder = connection.span(Operation::Send, SpanKind::Producer);
        let guard = instrumentation.start(builder, &current);
        let frame = Frame::with_context(frame.payload, guard.context());
        (guard, frame)
    }
}

/// Sends a frame and flushes.
pub(crate) async fn write<S>(sink: &mut S, frame: Frame) -> Result<(), CodecError>
where
    S: Sink<Frame, Error = CodecError> + Unpin,
{
    poll_fn(|cx| Pin::new(&mut *sink).poll_ready(cx)).await?;
    Pin::new(&mut *sink).start_send(frame)?;
    poll_fn(|cx| Pin::new(&mut *sink).poll_flush(cx)).await
}

pub(crate) fn ending(sent: &Result<(), CodecError>) -> Ending {
    match sent {
        Ok(()) => Ending::Complete,
        Err(error) => Ending::failed(error.error_type()),
    }
}
