use super::{BatchBuilder, Consumer, FetchBuilder, Messages, Sequence, StreamBuilder};
use async_nats::jetstream::consumer::StreamError;
use async_nats::jetstream::consumer::pull::{self, BatchError};

/// # Pulling
///
/// [`fetch`](Self::fetch), [`batch`](Self::batch) and [`sequence`](Self::sequence) send one pull
/// request at a time, and each has a CLIENT span `fetch {filter}`, or `fetch {stream}` where the
/// consumer has no filter or several. It is a child of the span that is current when the future
/// is first polled, and ends when the last message of the request is in, as failed on an error,
/// and as cancelled when the messages are dropped before. It says how many messages came
/// (`messaging.batch.message_count`), and links to the creation context of each: of as many as the
/// SDK keeps links of a span, 128 by default; it counts the others as dropped links.
///
/// [`messages`](Self::messages) and [`stream`](Self::stream) pull ahead in a task of async-nats,
/// of which nothing is seen outside: no pull request of theirs has a span, only what is
/// processed.
impl Consumer<pull::Config> {
    /// Messages without an end, pulled ahead with heartbeats. See [Pulling](#pulling).
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::consumer::PullConsumer`]'s; so do the items of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes pulls nothing.
    pub async fn messages(&self) -> Result<Messages<pull::Stream>, StreamError> {
        let inner = self.inner.messages().await?;
        Ok(Messages::new(inner, self.origin.clone()))
    }

    /// Messages without an end, pulled ahead as the builder says. See [Pulling](#pulling).
    pub fn stream(&self) -> StreamBuilder<'_> {
        StreamBuilder::new(self.inner.stream(), &self.origin)
    }

    /// A pull request for the messages that are there now. See [Pulling](#pulling).
    ///
    /// ```no_run
    /// # async fn example(orders: dynamo_trace_nats::jetstream::PullConsumer) -> Result<(), async_nats::Error> {
    /// let mut orders = orders.fetch().max_messages(10).messages().await?;
    /// while let Some(received) = orders.next().await {
    ///     received?.try_process(|order| async move { order.ack().await }).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn fetch(&self) -> FetchBuilder<'_> {
        FetchBuilder::new(self.inner.fetch(), &self.origin)
    }

    /// A pull request that waits for messages until it expires. See [Pulling](#pulling).
    pub fn batch(&self) -> BatchBuilder<'_> {
        BatchBuilder::new(self.inner.batch(), &self.origin)
    }

    /// Pull requests for `batch` messages each, one after the other. See [Pulling](#pulling).
    ///
    /// # Errors
    ///
    /// As the method of the same name of async-nats.
    pub fn sequence(&self, batch: usize) -> Result<Sequence, BatchError> {
        let inner = self.inner.sequence(batch)?;
        Ok(Sequence::new(inner, batch, self.origin.clone()))
    }
}

impl Consumer<pull::OrderedConfig> {
    /// The messages of the stream in order, pulled ahead. No pull request has a span.
    ///
    /// # Errors
    ///
    /// As the method of the same name of async-nats; so do the items of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes pulls nothing.
    pub async fn messages(self) -> Result<Messages<pull::Ordered>, StreamError> {
        let inner = self.inner.messages().await?;
        Ok(Messages::new(inner, self.origin))
    }
}
