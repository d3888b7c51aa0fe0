use crate::attributes::{self, Operation};
use crate::carrier::Headers;
use crate::settings::Settings;
use crate::subject::{Destination, is_pattern};
use async_nats::{Message, UnsubscribeError};
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::{Instrumentation, Received, Remote};
use futures_core::Stream;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
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

/// How the spans of a subscription's messages look.
#[derive(Debug)]
pub(crate) struct Subscription {
    settings: Arc<Settings>,
    /// The subject, if it is one of many.
    pattern: Option<Box<str>>,
    span_name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
}

impl Subscription {
    pub(crate) fn new(settings: Arc<Settings>, subject: &str, queue_group: Option<&str>) -> Self {
        let destination = settings.subjects.destination(subject);
        let span_name = Operation::Process.span_name(destination);
        let pattern = destination.name.filter(|name| is_pattern(name));
        let known = pattern.is_none().then_some(destination);
        let attributes = attributes::subscription(known, queue_group);
        Self {
            pattern: pattern.map(Into::into),
            settings,
            span_name,
            attributes,
        }
    }

    /// Adds attributes that every span has.
    pub(crate) fn with_attributes(
        mut self,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// The context that came with a message.
    pub(crate) fn remote(&self, message: &Message) -> Remote {
        let Some(headers) = &message.headers else {
            return Remote::default();
        };
        let propagation = self.settings.instrumentation.propagation();
        propagation.remote(&Headers(headers), &self.settings.trust)
    }

    fn receive(self: &Arc<Self>, message: Message) -> Received<Message> {
        let remote = self.remote(&message);
        // Plain NATS says neither when a message was sent nor whether it comes again.
        Received::new(message, remote, Delivery::default(), self.clone())
    }

    /// Where a message was sent, if the subject of the subscription does not say it. A template
    /// that was registered says more than the pattern.
    fn matched<'s>(&'s self, subject: &'s str) -> Option<Destination<'s>> {
        let pattern = self.pattern.as_deref()?;
        let found = self.settings.subjects.destination(subject);
        Some(Destination {
            template: found.template.or(Some(pattern)),
            ..found
        })
    }
}

impl Consumer<Message> for Subscription {
    fn span(&self, message: &Message) -> SpanBuilder {
        let matched = self.matched(&message.subject);
        let name = match matched {
            Some(matched) => Operation::Process.span_name(matched),
            None => self.span_name.clone(),
        };
        attributes::process_span(name, kind_of(message), &self.attributes, matched, message)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.settings.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.settings.relation
    }
}

/// A message that asks for a reply is a request; but JetStream takes the reply subject for
/// acknowledgements.
fn kind_of(message: &Message) -> SpanKind {
    let asks = |reply: &async_nats::Subject| !reply.starts_with("$JS.ACK.");
    if message.reply.as_ref().is_some_and(asks) {
        SpanKind::Server
    } else {
        SpanKind::Consumer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_asks_for_a_reply_is_a_request() {
        let message = |reply: Option<&'static str>| Message {
            subject: "work".into(),
            reply: reply.map(Into::into),
            payload: "".into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        };
        assert_eq!(kind_of(&message(Some("_INBOX.1"))), SpanKind::Server);
        assert_eq!(kind_of(&message(None)), SpanKind::Consumer);
        let ack = "$JS.ACK.stream.consumer.1.1.1.1.0";
        assert_eq!(kind_of(&message(Some(ack))), SpanKind::Consumer);
    }
}
