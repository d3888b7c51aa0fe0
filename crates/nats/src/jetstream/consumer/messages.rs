use super::Origin;
use crate::Received;
use crate::jetstream::Message;
use async_nats::jetstream;
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The messages of a consumer, without an end: a stream of [`Received`], or of async-nats' own
/// errors.
///
/// What has arrived and is not yet taken has no span.
#[must_use = "streams do nothing unless polled"]
pub struct Messages<S> {
    inner: S,
    origin: Arc<Origin>,
}

impl<S> Messages<S> {
    pub(super) const fn new(inner: S, origin: Arc<Origin>) -> Self {
        Self { inner, origin }
    }

    /// The stream alone.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, E> Messages<S>
where
    S: Stream<Item = Result<jetstream::Message, E>> + Unpin,
{
    /// The next message; nothing when the consumer or the client has ended.
    ///
    /// # Errors
    ///
    /// Those of the stream of async-nats.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<Received<Message>, E>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<S, E> Stream for Messages<S>
where
    S: Stream<Item = Result<jetstream::Message, E>> + Unpin,
{
    type Item = Result<Received<Message>, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(message.map(|message| Ok(self.origin.receive(message?))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S> fmt::Debug for Messages<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
