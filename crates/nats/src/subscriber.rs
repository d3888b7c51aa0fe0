use crate::subscription::Subscription;
use async_nats::{Message, UnsubscribeError};
use dynamo_trace_core::Received;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The messages of a subscription: a stream of [`Received`]. Dropping it unsubscribes.
///
/// What has arrived and is not yet taken has no span.
#[derive(Debug)]
#[must_use = "dropping a subscriber unsubscribes"]
pub struct Subscriber {
    inner: async_nats::Subscriber,
    subscription: Arc<Subscription>,
}

impl Subscriber {
    pub(crate) fn new(inner: async_nats::Subscriber, subscription: Subscription) -> Self {
        Self {
            inner,
            subscription: Arc::new(subscription),
        }
    }

    /// The next message; nothing when the subscription or the client has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Received<Message>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Unsubscribes at once; messages that were not taken are still there to take.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Subscriber::unsubscribe`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes leaves the subscription.
    pub async fn unsubscribe(&mut self) -> Result<(), UnsubscribeError> {
        self.inner.unsubscribe().await
    }

    /// Unsubscribes after this many messages, counted from the subscription's first.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Subscriber::unsubscribe_after`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes leaves the subscription.
    pub async fn unsubscribe_after(&mut self, messages: u64) -> Result<(), UnsubscribeError> {
        self.inner.unsubscribe_after(messages).await
    }

    /// Unsubscribes; the stream ends after the messages that have arrived. Those still on their
    /// way may be lost: async-nats does not wait for the server to confirm.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Subscriber::drain`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes leaves the subscription.
    pub async fn drain(&mut self) -> Result<(), UnsubscribeError> {
        self.inner.drain().await
    }
}

impl Stream for Subscriber {
    type Item = Received<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(message.map(|message| self.subscription.receive(message)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
