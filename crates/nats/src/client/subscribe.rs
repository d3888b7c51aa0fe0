use super::Client;
use crate::subscriber::{Subscriber, Subscription};
use async_nats::client::SubscribeError;
use async_nats::{Subject, ToSubject};

/// # Subscribing
///
/// Messages come as [`Received`](crate::Received), and no span starts before
/// [`process`](crate::Received::process). That span is named `process {pattern}` after the
/// subject or pattern that was subscribed, so that `orders.*` is one name for all orders. Its
/// kind is SERVER for a message that asks for a reply, else CONSUMER.
impl Client {
    /// Subscribes to a subject or pattern. See [Subscribing](#subscribing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::subscribe`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes subscribes to nothing.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::client::SubscribeError> {
    /// let mut orders = nats.subscribe("orders.*").await?;
    /// while let Some(received) = orders.next().await {
    ///     received
    ///         .process(|message| async move { println!("{}", message.subject) })
    ///         .await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe<S: ToSubject>(&self, subject: S) -> Result<Subscriber, SubscribeError> {
        let subject = subject.to_subject();
        let subscription = self.subscription(&subject, None);
        let inner = self.inner.subscribe(subject).await?;
        Ok(Subscriber::new(inner, subscription))
    }

    /// Subscribes to a subject or pattern as one of a group, of which one receives each message.
    /// See [Subscribing](#subscribing).
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::queue_subscribe`].
    ///
    /// # Cancel safety
    ///
    /// As [`subscribe`](Self::subscribe).
    pub async fn queue_subscribe<S: ToSubject>(
        &self,
        subject: S,
        queue_group: String,
    ) -> Result<Subscriber, SubscribeError> {
        let subject = subject.to_subject();
        let subscription = self.subscription(&subject, Some(&queue_group));
        let inner = self.inner.queue_subscribe(subject, queue_group).await?;
        Ok(Subscriber::new(inner, subscription))
    }

    fn subscription(&self, subject: &Subject, queue_group: Option<&str>) -> Subscription {
        Subscription::new(self.settings.clone(), subject, queue_group)
    }
}
