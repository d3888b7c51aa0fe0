//! The replies to one request, as a stream, and its span.

mod call;
mod idle;
mod open;

pub(crate) use call::Call;

use async_nats::Message;
use async_nats::client::RequestError;
use dynamo_trace_core::Ending;
use futures_core::Stream;
use open::Open;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The replies to one request: a stream, made by [`Client::request_stream`].
///
/// NATS does not say which reply is the last one. [`until`](Self::until) and
/// [`max_messages`](Self::max_messages) say it; a stream that has neither, or is met by neither,
/// waits for further replies until it is idle for too long, or dropped.
///
/// # The span
///
/// One CLIENT span `request {subject}`, from the request to the end of the stream. What comes of
/// two or more replies is counted: `dynamo_trace.stream.chunks` (replies),
/// `dynamo_trace.stream.bytes` (of their payloads), `dynamo_trace.stream.time_to_first_chunk` and
/// `dynamo_trace.stream.longest_gap` (seconds, between the moments when they are taken). An empty
/// reply that is the last one says no more than that, and is not counted.
///
/// | the stream | gives | the span ends |
/// |---|---|---|
/// | its last reply came | `None` after it | complete |
/// | [`complete`](Self::complete) | | complete |
/// | no reply for too long | `Err`, then `None` | failed, `timeout` |
/// | nobody listens to the subject | `Err`, then `None` | failed, `no_responders` |
/// | the client was closed for good | `Err`, then `None` | failed, `connection_closed` |
/// | is dropped before | | cancelled |
///
/// A reply with the header `Nats-Service-Error-Code` is given as any other, and does not end the
/// stream: others may still answer. The first one fails the span with its code, however the stream
/// ends. What context replies carry is not used: their trace is the caller's.
///
/// It has to be polled within a Tokio runtime with its timer, as async-nats' own requests.
/// However it ends, the inbox is unsubscribed. Replies that are not taken in time wait in
/// async-nats' buffer (`ConnectOptions::subscription_capacity`); where that is full they are lost,
/// and async-nats tells of a slow consumer.
///
/// [`Client::request_stream`]: crate::Client::request_stream
#[must_use = "dropping the replies gives them up"]
pub struct Replies {
    open: Option<Open>,
}

impl Replies {
    pub(crate) fn new(inner: async_nats::Subscriber, call: Call, idle: Option<Duration>) -> Self {
        Self {
            open: Some(Open::new(inner, call, idle)),
        }
    }

    /// Ends the stream with the first reply for which this is true: an empty one, or one that says
    /// so by a header. That reply is still given.
    pub fn until(mut self, is_last: impl FnMut(&Message) -> bool + Send + 'static) -> Self {
        if let Some(open) = &mut self.open {
            open.is_last = Some(Box::new(is_last));
        }
        self
    }

    /// Ends the stream after this many replies.
    pub fn max_messages(mut self, messages: usize) -> Self {
        if let Some(open) = &mut self.open {
            open.left = Some(messages);
        }
        self
    }

    /// The next reply; nothing when the last one came, or after an error.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] where none came in time since the last one was
    /// taken, [`NoResponders`] where nobody listens to the subject,
    /// [`Other`] where the client was closed. Then the stream is over.
    ///
    /// [`TimedOut`]: async_nats::client::RequestErrorKind::TimedOut
    /// [`NoResponders`]: async_nats::client::RequestErrorKind::NoResponders
    /// [`Other`]: async_nats::client::RequestErrorKind::Other
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no reply.
    pub async fn next(&mut self) -> Option<Result<Message, RequestError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Says that what came was all: unsubscribes, and ends the span as complete.
    pub fn complete(mut self) {
        self.end(Ending::Complete);
    }

    fn end(&mut self, ending: Ending) {
        if let Some(open) = self.open.take() {
            open.call.end(ending);
        }
    }
}

impl Stream for Replies {
    type Item = Result<Message, RequestError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(None);
        };
        let Poll::Ready((item, ending)) = open.poll(cx) else {
            return Poll::Pending;
        };
        if let Some(ending) = ending {
            self.end(ending);
        }
        Poll::Ready(item)
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.open.as_ref().map(|open| &open.inner);
        f.debug_struct("Replies")
            .field("inner", &inner)
            .finish_non_exhaustive()
    }
}
