//! Consumers, and the messages that they deliver.

mod builders;
mod fetch;
mod messages;
mod origin;
mod pull;
mod push;
mod sequence;

pub use builders::{BatchBuilder, FetchBuilder, StreamBuilder};
pub use fetch::Batch;
pub use messages::Messages;
pub(crate) use origin::Origin;
pub use sequence::Sequence;

use async_nats::jetstream::consumer::{self, IntoConsumerConfig};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A consumer from which its user pulls messages.
pub type PullConsumer = Consumer<consumer::pull::Config>;
/// A consumer whose messages the server pushes.
pub type PushConsumer = Consumer<consumer::push::Config>;
/// A pull consumer that delivers all messages in order, and is created anew where it has to be.
pub type OrderedPullConsumer = Consumer<consumer::pull::OrderedConfig>;
/// A push consumer that delivers all messages in order, and is created anew where it has to be.
pub type OrderedPushConsumer = Consumer<consumer::push::OrderedConfig>;

/// An [`async_nats::jetstream::consumer::Consumer`] whose messages come as
/// [`Received`](crate::Received).
///
/// Reads as the consumer itself; the methods here hide those of the same name. No span of a
/// message starts before [`process`](crate::Received::process): what was pulled ahead and is not
/// taken, or was taken and is not processed, has none.
#[derive(Clone, Debug)]
pub struct Consumer<C: IntoConsumerConfig> {
    inner: consumer::Consumer<C>,
    origin: Arc<Origin>,
}

impl<C: IntoConsumerConfig> Consumer<C> {
    pub(super) const fn new(inner: consumer::Consumer<C>, origin: Arc<Origin>) -> Self {
        Self { inner, origin }
    }

    /// The consumer alone.
    #[must_use]
    pub fn into_inner(self) -> consumer::Consumer<C> {
        self.inner
    }
}

impl<C: IntoConsumerConfig> Deref for Consumer<C> {
    type Target = consumer::Consumer<C>;

    fn deref(&self) -> &consumer::Consumer<C> {
        &self.inner
    }
}

impl<C: IntoConsumerConfig> DerefMut for Consumer<C> {
    fn deref_mut(&mut self) -> &mut consumer::Consumer<C> {
        &mut self.inner
    }
}
