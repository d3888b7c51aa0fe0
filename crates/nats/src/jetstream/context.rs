use super::consumer::{Consumer, Origin};
use super::limits::{Limits, MAX_HEADERS};
use super::settle::Settlement;
use super::stream::Stream;
use crate::Client;
use crate::send::Size;
use crate::settings::Settings;
use async_nats::jetstream::consumer::{FromConsumer, IntoConsumerConfig};
use async_nats::jetstream::context::{CreateStreamError, GetStreamError};
use async_nats::jetstream::stream::{
    self, Config, ConsumerCreateStrictError, ConsumerError, ConsumerUpdateError,
};
use async_nats::jetstream::{self, consumer};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// An [`async_nats::jetstream::Context`] that carries trace context. Cheap to clone.
///
/// Reads as the context itself, so that what has no part in tracing (`query_account`,
/// `delete_stream`, `stream_names`) is there as ever. The methods here hide those of the same
/// name.
///
/// ```no_run
/// use dynamo_trace_nats::{Client, jetstream};
///
/// # async fn example() -> Result<(), async_nats::Error> {
/// let nats = Client::new(async_nats::connect("localhost").await?);
/// let jetstream = jetstream::new(&nats);
/// jetstream.publish("orders.new", "order".into()).await?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Context {
    inner: jetstream::Context,
    pub(crate) settings: Arc<Settings>,
    /// Of `inner`, which gives no reference to it.
    client: Arc<async_nats::Client>,
    settlement: Settlement,
    limits: Arc<Limits>,
}

impl Context {
    /// Wraps `inner`, with what `client` has been told: its tracer, propagation, trust, relation
    /// and subject templates.
    pub fn new(client: &Client, inner: jetstream::Context) -> Self {
        Self {
            client: Arc::new(inner.client()),
            inner,
            settings: client.settings().clone(),
            settlement: Settlement::default(),
            limits: Arc::default(),
        }
    }

    /// Sets how acknowledgements of the messages of consumers that follow are recorded.
    pub fn with_settlement(self, settlement: Settlement) -> Self {
        Self { settlement, ..self }
    }

    /// Sets the timeout of API requests, publish acknowledgements and double acknowledgements, as
    /// [`async_nats::jetstream::Context::set_timeout`] does.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.inner.set_timeout(timeout);
    }

    /// The context alone.
    #[must_use]
    pub fn into_inner(self) -> jetstream::Context {
        self.inner
    }

    pub(super) fn raw_client(&self) -> &async_nats::Client {
        &self.client
    }

    pub(super) fn size(&self, body: usize) -> Size {
        Size {
            body,
            max: self.client.max_payload(),
        }
    }

    /// As [`size`](Self::size), of a message that a stream is to store.
    pub(super) fn stored_size(&self, subject: &str, body: usize) -> Size {
        let Size { max, .. } = self.size(body);
        let max = max.min(body.saturating_add(MAX_HEADERS));
        Size {
            body,
            max: max.min(self.limits.of(subject)),
        }
    }

    /// A stream that has told its limits.
    fn known_stream(&self, inner: stream::Stream) -> Stream {
        self.limits.learn(inner.cached_info());
        self.stream(inner)
    }
}

/// # Streams and consumers
///
/// As those of [`async_nats::jetstream::Context`], but what they return receives
/// [`Received`](crate::Received) messages. No span is recorded for the calls of the JetStream
/// API themselves.
impl Context {
    /// A stream that there is already, as one of this context.
    pub fn stream<I>(&self, inner: stream::Stream<I>) -> Stream<I> {
        Stream::new(inner, self.clone())
    }

    /// A consumer that there is already, as one of this context.
    pub fn consumer<C: IntoConsumerConfig>(&self, inner: consumer::Consumer<C>) -> Consumer<C> {
        let origin = Origin::new(self.settings.clone(), self.settlement, inner.cached_info());
        Consumer::new(inner, origin)
    }

    /// Creates a stream.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_stream`].
    pub async fn create_stream<S>(&self, config: S) -> Result<Stream, CreateStreamError>
    where
        Config: From<S>,
    {
        let created = self.inner.create_stream(config).await?;
        Ok(self.known_stream(created))
    }

    /// A stream of the server.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_stream`].
    pub async fn get_stream<T: AsRef<str>>(&self, stream: T) -> Result<Stream, GetStreamError> {
        let found = self.inner.get_stream(stream).await?;
        Ok(self.known_stream(found))
    }

    /// A stream of the server, without asking for it.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_stream_no_info`].
    pub async fn get_stream_no_info<T: AsRef<str>>(
        &self,
        stream: T,
    ) -> Result<Stream<()>, GetStreamError> {
        let found = self.inner.get_stream_no_info(stream).await?;
        Ok(self.stream(found))
    }

    /// A stream of the server, created if it is not there.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_or_create_stream`].
    pub async fn get_or_create_stream<S>(&self, config: S) -> Result<Stream, CreateStreamError>
    where
        S: Into<Config>,
    {
        let found = self.inner.get_or_create_stream(config).await?;
        Ok(self.known_stream(found))
    }

    /// A consumer of a stream.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_consumer_from_stream`].
    pub async fn get_consumer_from_stream<T, C, S>(
        &self,
        consumer: C,
        stream: S,
    ) -> Result<Consumer<T>, ConsumerError>
    where
        T: FromConsumer + IntoConsumerConfig,
        S: AsRef<str>,
        C: AsRef<str>,
    {
        let found = self.inner.get_consumer_from_stream(consumer, stream);
        Ok(self.consumer(found.await?))
    }

    /// Creates or updates a consumer of a stream.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_consumer_on_stream`].
    pub async fn create_consumer_on_stream<C, S>(
        &self,
        config: C,
        stream: S,
    ) -> Result<Consumer<C>, ConsumerError>
    where
        C: FromConsumer + IntoConsumerConfig,
        S: AsRef<str>,
    {
        let created = self.inner.create_consumer_on_stream(config, stream);
        Ok(self.consumer(created.await?))
    }

    /// Updates a consumer of a stream.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::update_consumer_on_stream`].
    pub async fn update_consumer_on_stream<C, S>(
        &self,
        config: C,
        stream: S,
    ) -> Result<Consumer<C>, ConsumerUpdateError>
    where
        C: FromConsumer + IntoConsumerConfig,
        S: AsRef<str>,
    {
        let updated = self.inner.update_consumer_on_stream(config, stream);
        Ok(self.consumer(updated.await?))
    }

    /// Creates a consumer of a stream, unless there is one that differs.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_consumer_strict_on_stream`].
    pub async fn create_consumer_strict_on_stream<C, S>(
        &self,
        config: C,
        stream: S,
    ) -> Result<Consumer<C>, ConsumerCreateStrictError>
    where
        C: FromConsumer + IntoConsumerConfig,
        S: AsRef<str>,
    {
        let created = self.inner.create_consumer_strict_on_stream(config, stream);
        Ok(self.consumer(created.await?))
    }
}

impl Deref for Context {
    type Target = jetstream::Context;

    fn deref(&self) -> &jetstream::Context {
        &self.inner
    }
}
