use crate::attributes::{Operation, destination_attributes, message_attributes, span_with};
use crate::carrier::Headers;
use crate::jetstream::message::Facts;
use crate::jetstream::settle::Settlement;
use crate::jetstream::{Message, attributes};
use crate::settings::Settings;
use crate::subject::{Destination, is_pattern, matches};
use async_nats::jetstream::{self, consumer};
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::span::span_name;
use dynamo_trace_core::{Detail, Instrumentation, Received, Remote};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanBuilder, SpanKind};
use std::sync::Arc;

/// Where messages come from, a consumer of a stream: how the spans about them look.
#[derive(Debug)]
pub(crate) struct Origin {
    settings: Arc<Settings>,
    settlement: Settlement,
    /// What the consumer was told to deliver.
    filters: Box<[Box<str>]>,
    stream: Box<str>,
    attributes: Vec<KeyValue>,
}

impl Origin {
    pub(crate) fn new(
        settings: Arc<Settings>,
        settlement: Settlement,
        info: &consumer::Info,
    ) -> Arc<Self> {
        let config = &info.config;
        let several = config.filter_subjects.iter();
        let filters = std::iter::once(&config.filter_subject).chain(several);
        let filters = filters.filter(|filter| !filter.is_empty());
        Arc::new(Self {
            settings,
            settlement,
            filters: filters.map(|filter| filter.as_str().into()).collect(),
            stream: info.stream_name.as_str().into(),
            attributes: attributes::consumer(info),
        })
    }

    /// A message that came, and the context in its headers.
    pub(crate) fn receive(self: &Arc<Self>, inner: jetstream::Message) -> Received<Message> {
        let remote = self.remote(&inner);
        let facts = Facts::of(&inner);
        let delivery = Delivery {
            sent_at: facts.and_then(|facts| facts.published),
            repeated: facts.is_some_and(|facts| facts.delivered > 1),
            batch: false,
        };
        let message = Message::new(inner, facts, self.clone());
        Received::new(message, remote, delivery, self.clone())
    }

    pub(crate) fn instrumentation(&self) -> &Instrumentation {
        &self.settings.instrumentation
    }

    pub(crate) const fn settlement(&self) -> Settlement {
        self.settlement
    }

    /// To the message's creation context, if settlements may be spans.
    pub(crate) fn link(&self, message: &jetstream::Message) -> Option<Link> {
        match self.settlement {
            Settlement::Off => None,
            Settlement::Events | Settlement::Spans => self.remote(message).to_link(),
        }
    }

    fn remote(&self, message: &jetstream::Message) -> Remote {
        let Some(headers) = &message.headers else {
            return Remote::default();
        };
        let propagation = self.instrumentation().propagation();
        propagation.remote(&Headers(headers), &self.settings.trust)
    }

    /// The span of a pull request: of the filter of the consumer, or of the stream, where
    /// messages of any of its subjects may come.
    pub(crate) fn fetch_span(&self, detail: Detail) -> SpanBuilder {
        let [filter] = &*self.filters else {
            return self.fetch_span_of(&self.stream, detail, || None);
        };
        if is_pattern(filter) {
            return self.fetch_span_of(filter, detail, || Some(attributes::filter(filter)));
        }
        let destination = self.settings.subjects.destination(filter);
        let target = destination.in_span_name().unwrap_or(&self.stream);
        self.fetch_span_of(target, detail, || destination_attributes(destination))
    }

    fn fetch_span_of<I: IntoIterator<Item = KeyValue>>(
        &self,
        target: &str,
        detail: Detail,
        destination: impl FnOnce() -> I,
    ) -> SpanBuilder {
        let (name, _) = span_name(Operation::Fetch.name(), target);
        span_with(name, SpanKind::Client, detail, || {
            let mut all = attributes::of(Operation::Fetch, &self.attributes);
            all.extend(destination());
            all
        })
    }

    /// A span about one message.
    pub(crate) fn span_of<I: IntoIterator<Item = KeyValue>>(
        &self,
        operation: Operation,
        kind: SpanKind,
        subject: &str,
        detail: Detail,
        more: impl FnOnce() -> I,
    ) -> SpanBuilder {
        let destination = self.destination(subject);
        span_with(operation.span_name(destination), kind, detail, || {
            let mut all = attributes::of(operation, &self.attributes);
            all.extend(destination_attributes(destination));
            all.extend(more());
            all
        })
    }

    /// A template that was registered says more than the filter.
    fn destination<'s>(&'s self, subject: &'s str) -> Destination<'s> {
        let found = self.settings.subjects.destination(subject);
        if found.template.is_some() {
            return found;
        }
        let mut patterns = self.filters.iter().filter(|filter| is_pattern(filter));
        let template = patterns.find(|pattern| matches(pattern, subject));
        Destination {
            template: template.map(|pattern| &**pattern),
            ..found
        }
    }
}

impl Consumer<Message> for Origin {
    fn span(&self, message: &Message) -> SpanBuilder {
        self.span_with(message, Detail::Full)
    }

    fn span_with(&self, message: &Message, detail: Detail) -> SpanBuilder {
        let (operation, kind) = (Operation::Process, SpanKind::Consumer);
        self.span_of(operation, kind, &message.subject, detail, || {
            let known = message.facts().into_iter().flat_map(Facts::attributes);
            let (body, headers) = (message.payload.len(), message.headers.as_ref());
            known.chain(message_attributes(body, headers))
        })
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.settings.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.settings.relation
    }
}
