use crate::attributes::{self, Operation};
use crate::carrier::Headers;
use crate::settings::Settings;
use crate::subject::{Destination, is_pattern};
use async_nats::Message;
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::{Detail, Instrumentation, Received, Remote};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
use std::sync::Arc;

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
        self.settings.remote(message)
    }

    pub(crate) fn receive(self: &Arc<Self>, message: Message) -> Received<Message> {
        self.settings.received(message, self.clone())
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
        self.span_with(message, Detail::Full)
    }

    fn span_with(&self, message: &Message, detail: Detail) -> SpanBuilder {
        let matched = self.matched(&message.subject);
        let name = match matched {
            Some(matched) => Operation::Process.span_name(matched),
            None => self.span_name.clone(),
        };
        let (kind, known) = (kind_of(message), &self.attributes);
        attributes::process_span(name, kind, known, matched, message, detail)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.settings.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.settings.relation
    }
}

/// Of a message that came without a subscription: its own subject says what it is.
impl Consumer<Message> for Settings {
    fn span(&self, message: &Message) -> SpanBuilder {
        self.span_with(message, Detail::Full)
    }

    fn span_with(&self, message: &Message, detail: Detail) -> SpanBuilder {
        let destination = self.subjects.destination(&message.subject);
        let name = Operation::Process.span_name(destination);
        let (kind, known) = (kind_of(message), attributes::common(Operation::Process));
        attributes::process_span(name, kind, &known, Some(destination), message, detail)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.relation
    }
}

impl Settings {
    fn remote(&self, message: &Message) -> Remote {
        let Some(headers) = &message.headers else {
            return Remote::default();
        };
        let propagation = self.instrumentation.propagation();
        propagation.remote(&Headers(headers), &self.trust)
    }

    pub(crate) fn received(
        &self,
        message: Message,
        consumer: Arc<dyn Consumer<Message>>,
    ) -> Received<Message> {
        let remote = self.remote(&message);
        // Plain NATS says neither when a message was sent nor whether it comes again.
        Received::new(message, remote, Delivery::default(), consumer)
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
