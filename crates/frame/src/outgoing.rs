use crate::attributes;
use crate::error::CodecError;
use crate::frame::Frame;
use crate::sender;
use bytes::Bytes;
use dynamo_trace_core::{Ending, SpanGuard};
use futures_sink::Sink;
use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A response of many frames, under way, in one span. Made by
/// [`Sender::open`](crate::Sender::open).
///
/// A [`Sink`] of payloads, each of which becomes a frame without a context: after the first frame
/// a token costs no more than in a plain frame, but for two counters and a clock read when the
/// span records. The span ends
/// - complete, with [`finish`](Self::finish) or when the sink is closed;
/// - failed, with [`fail`](Self::fail) or the first error of the connection;
/// - cancelled, when this is dropped before.
///
/// Then it tells how many frames and bytes were handed to the sink, and the longest time between
/// two of them ([`attributes`]). Frames have no end mark: how the receiver knows
/// that the response is over is up to the protocol in the payloads, or to the connection.
///
/// ```
/// # async fn example(home: tokio::net::TcpStream) -> Result<(), dynamo_trace_frame::CodecError> {
/// use dynamo_trace_frame::Codec;
/// use futures_util::SinkExt;
/// use tokio_util::codec::Framed;
///
/// let codec = Codec::new().destination("tokens");
/// let sender = codec.sender(Framed::new(home, codec.clone()));
/// let mut out = sender.open("handshake").await?;
/// out.send("token".into()).await?;
/// let mut connection = out.finish().await?;
/// connection.close().await
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping the response ends its span as cancelled"]
pub struct Outgoing<S> {
    sink: S,
    span: Span,
}

impl<S> Outgoing<S> {
    pub(crate) fn new(sink: S, guard: SpanGuard) -> Self {
        Self {
            sink,
            span: Span::new(guard),
        }
    }

    /// Ends the span as failed, with this `error.type`, of low cardinality: for a failure that
    /// is not the connection's, which still may be told to the receiver. Gives the sink back.
    pub fn fail(mut self, error_type: impl Into<Cow<'static, str>>) -> S {
        self.span.end(Ending::failed(error_type));
        self.sink
    }

    /// The context in which the span is current, for attributes that only show on the way.
    #[must_use]
    pub const fn context(&self) -> &opentelemetry::Context {
        &self.span.context
    }
}

impl<S> Outgoing<S>
where
    S: Sink<Frame, Error = CodecError> + Unpin,
{
    pub(crate) async fn write_first(&mut self, frame: Frame) -> Result<(), CodecError> {
        let bytes = frame.payload.len();
        let sent = sender::write(&mut self.sink, frame).await;
        if sent.is_ok() {
            self.span.count(bytes);
        }
        self.span.judge(sent)
    }

    /// Flushes, ends the span and gives the sink back, still open.
    ///
    /// # Errors
    ///
    /// [`CodecError::Io`] when the connection fails; the span then ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, whose span ends as cancelled.
    pub async fn finish(mut self) -> Result<S, CodecError> {
        poll_fn(|cx| Pin::new(&mut self).poll_flush(cx)).await?;
        self.span.end(Ending::Complete);
        Ok(self.sink)
    }
}

/// Errors are those of the sink below; the first one ends the span as failed.
impl<S> Sink<Bytes> for Outgoing<S>
where
    S: Sink<Frame, Error = CodecError> + Unpin,
{
    type Error = CodecError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        let ready = Pin::new(&mut self.sink).poll_ready(cx);
        ready.map(|ready| self.span.judge(ready))
    }

    fn start_send(mut self: Pin<&mut Self>, payload: Bytes) -> Result<(), CodecError> {
        let bytes = payload.len();
        let started = Pin::new(&mut self.sink).start_send(Frame::new(payload));
        if started.is_ok() {
            self.span.count(bytes);
        }
        self.span.judge(started)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        let flushed = Pin::new(&mut self.sink).poll_flush(cx);
        flushed.map(|flushed| self.span.judge(flushed))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        let closed = Pin::new(&mut self.sink).poll_close(cx);
        closed.map(|closed| {
            self.span.end(sender::ending(&closed));
            closed
        })
    }
}

/// The span of a response and what it counts.
#[derive(Debug)]
struct Span {
    context: opentelemetry::Context,
    guard: Option<SpanGuard>,
    frames: u64,
    bytes: u64,
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Span {
    fn new(guard: SpanGuard) -> Self {
        Self {
            context: guard.context().clone(),
            guard: Some(guard),
            frames: 0,
            bytes: 0,
            last: None,
            longest_gap: Duration::ZERO,
        }
    }

    fn count(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.guard.as_ref().is_some_and(SpanGuard::is_recording) {
            let now = Instant::now();
            if let Some(last) = self.last.replace(now) {
                self.longest_gap = self.longest_gap.max(now - last);
            }
        }
    }

    fn judge(&mut self, step: Result<(), CodecError>) -> Result<(), CodecError> {
        if step.is_err() {
            self.end(sender::ending(&step));
        }
        step
    }

    fn end(&mut self, ending: Ending) {
        self.tell();
        if let Some(guard) = self.guard.take() {
            guard.end(ending);
        }
    }

    fn tell(&self) {
        if let Some(guard) = &self.guard {
            let longest_gap = self.longest_gap.as_secs_f64();
            guard.set_attributes(attributes::stream(self.frames, self.bytes, longest_gap));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // Dropping the guard ends the span as cancelled.
        self.tell();
    }
}
