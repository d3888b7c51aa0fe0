use super::Context;
use super::consumer::Consumer;
use async_nats::jetstream::consumer::{FromConsumer, IntoConsumerConfig};
use async_nats::jetstream::stream::{
    self, ConsumerCreateStrictError, ConsumerError, ConsumerUpdateError, Info,
};
use std::ops::{Deref, DerefMut};

/// An [`async_nats::jetstream::stream::Stream`] whose consumers receive
/// [`Received`](crate::Received) messages.
///
/// Reads as the stream itself; the methods here hide those of the same name.
#[derive(Clone, Debug)]
pub struct Stream<I = Info> {
    inner: stream::Stream<I>,
    context: Context,
}

impl<I> Stream<I> {
    pub(super) const fn new(inner: stream::Stream<I>, context: Context) -> Self {
        Self { inner, context }
    }

    /// The stream alone.
    #[must_use]
    pub fn into_inner(self) -> stream::Stream<I> {
        self.inner
    }

    /// Creates or updates a consumer.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::stream::Stream::create_consumer`].
    pub async fn create_consumer<C>(&self, config: C) -> Result<Consumer<C>, ConsumerError>
    where
        C: IntoConsumerConfig + FromConsumer,
    {
        let created = self.inner.create_consumer(config).await?;
        Ok(self.context.consumer(created))
    }

    /// Updates a consumer.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::stream::Stream::update_consumer`].
    pub async fn update_consumer<C>(&self, config: C) -> Result<Consumer<C>, ConsumerUpdateError>
    where
        C: IntoConsumerConfig + FromConsumer,
    {
        let updated = self.inner.update_consumer(config).await?;
        Ok(self.context.consumer(updated))
    }

    /// Creates a consumer, unless there is one that differs.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::stream::Stream::create_consumer_strict`].
    pub async fn create_consumer_strict<C>(
        &self,
        config: C,
    ) -> Result<Consumer<C>, ConsumerCreateStrictError>
    where
        C: IntoConsumerConfig + FromConsumer,
    {
        let created = self.inner.create_consumer_strict(config).await?;
        Ok(self.context.consumer(created))
    }

    /// A consumer of the stream.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::stream::Stream::get_consumer`].
    pub async fn get_consumer<C>(&self, name: &str) -> Result<Consumer<C>, async_nats::Error>
    where
        C: FromConsumer + IntoConsumerConfig,
    {
        let found = self.inner.get_consumer(name).await?;
        Ok(self.context.consumer(found))
    }

    /// A consumer of the stream, created if it is not there.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::stream::Stream::get_or_create_consumer`].
    pub async fn get_or_create_consumer<C>(
        &self,
        name: &str,
        config: C,
    ) -> Result<Consumer<C>, ConsumerError>
    where
        C: FromConsumer + IntoConsumerConfig,
    {
        let found = self.inner.get_or_create_consumer(name, config).await?;
        Ok(self.context.consumer(found))
    }
}

impl<I> Deref for Stream<I> {
    type Target = stream::Stream<I>;

    fn deref(&self) -> &stream::Stream<I> {
        &self.inner
    }
}

impl<I> DerefMut for Stream<I> {
    fn deref_mut(&mut self) -> &mut stream::Stream<I> {
        &mut self.inner
    }
}
