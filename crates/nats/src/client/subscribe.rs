use super::Client;
use crate::subscriber::Subscriber;
use crate::subscription::Subscription;
use async_nats::client::SubscribeError;
use async_nats::{Message, Subject, ToSubject};
use dynamo_trace_core::Received;

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

    /// Takes a message that came by other means, such as one of an [`async_nats::Subscriber`]: it
    /// is read and processed as those of a subscription of this client.
    ///
    /// Its span is named after its own subject, since nothing says which pattern was subscribed.
    /// Where that could be any, register templates: see
    /// [`with_subject_templates`](Self::with_subject_templates).
    ///
    /// ```no_run
    /// # async fn example(message: async_nats::Message) -> Result<(), async_nats::Error> {
    /// let nats = async_nats::connect("localhost").await?;
    /// let nats = dynamo_trace_nats::Client::new(nats).with_subject_templates(["orders.*"]);
    /// nats.receive(message)
    ///     .process(|message| async move { println!("{}", message.subject) })
    ///     .await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn receive(&self, message: Message) -> Received<Message> {
        self.settings.received(message, self.settings.clone())
    }

    fn subscription(&self, subject: &Subject, queue_group: Option<&str>) -> Subscription {
        Subscription::new(self.settings.clone(), subject, queue_group)
    }
}
