use super::attributes::{Operation, change};
use crate::attributes::{DESTINATION_TEMPLATE, body_size, common_of, span};
use crate::carrier::Headers;
use crate::jetstream::attributes::{STREAM, queue_time, sequence};
use crate::settings::Settings;
use async_nats::HeaderMap;
use async_nats::datetime::DateTime;
use async_nats::jetstream::kv::{self, Entry};
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::span::{SharedText, span_name};
use dynamo_trace_core::{Instrumentation, Received, Remote, SpanGuard};
use opentelemetry::trace::SpanBuilder;
use opentelemetry::{Context, KeyValue};
use std::sync::Arc;
use std::time::SystemTime;

/// How the spans of a bucket look.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) settings: Arc<Settings>,
    pub(super) name: String,
    /// What the subjects of its keys begin with: `$KV.{bucket}.`.
    pub(super) prefix: String,
    /// The subject of all of its keys.
    template: String,
    stream: String,
}

impl Bucket {
    pub(super) fn new(settings: Arc<Settings>, store: &kv::Store) -> Self {
        Self {
            settings,
            name: store.name.clone(),
            prefix: store.prefix.clone(),
            template: format!("{}>", store.prefix),
            stream: store.stream_name.clone(),
        }
    }

    /// Starts the span of an operation on `key`, or on many.
    pub(super) fn start(&self, operation: Operation, key: Option<&str>) -> SpanGuard {
        self.settings
            .instrumentation
            .start_with(Context::current(), |_| self.span(operation, key))
    }

    /// Starts the span of a write of `body` bytes.
    pub(super) fn start_write(&self, operation: Operation, key: &str, body: usize) -> SpanGuard {
        let guard = self.start(operation, Some(key));
        guard.set_attributes(std::iter::once_with(|| body_size(body)));
        guard
    }

    fn span(&self, operation: Operation, key: Option<&str>) -> SpanBuilder {
        let registered = key.and_then(|key| self.registered(key));
        let template = registered.unwrap_or(&self.template);
        let (operation_type, kind) = operation.kind();
        let mut attributes = Vec::with_capacity(9);
        attributes.extend(common_of(operation.name(), operation_type));
        attributes.extend([
            KeyValue::new(DESTINATION_TEMPLATE, SharedText::value_of(template)),
            KeyValue::new(STREAM, SharedText::value_of(&self.stream)),
        ]);
        span(span_name(operation.name(), template).0, kind, attributes)
    }

    /// The template that the user registered for this key.
    fn registered(&self, key: &str) -> Option<&str> {
        self.settings
            .subjects
            .template_of(&format!("{}{key}", self.prefix))
    }

    /// The context that the writer of an entry left.
    pub(super) fn remote(&self, headers: Option<&HeaderMap>) -> Remote {
        let propagation = self.settings.instrumentation.propagation();
        headers.map_or_else(Remote::default, |headers| {
            propagation.remote(&Headers(headers), &self.settings.trust)
        })
    }

    /// The entry with the context of its writer. `repeated`: it is a state, not a change.
    pub(super) fn receive(
        self: &Arc<Self>,
        entry: Entry,
        remote: Remote,
        repeated: bool,
    ) -> Received<Entry> {
        let delivery = Delivery {
            sent_at: stored_at(&entry),
            repeated,
            batch: false,
        };
        Received::new(entry, remote, delivery, self.clone())
    }
}

impl Consumer<Entry> for Bucket {
    fn span(&self, entry: &Entry) -> SpanBuilder {
        let mut builder = self.span(Operation::Process, Some(&entry.key));
        let queued = stored_at(entry).and_then(|at| SystemTime::now().duration_since(at).ok());
        let more = [
            body_size(entry.value.len()),
            change(entry.operation),
            sequence(entry.revision),
        ];
        let attributes = builder.attributes.get_or_insert_default();
        attributes.extend(more.into_iter().chain(queued.map(queue_time)));
        builder
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.settings.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.settings.relation
    }
}

/// Not every platform can tell an earlier time.
fn stored_at(entry: &Entry) -> Option<SystemTime> {
    let created = Some(entry.created).filter(|at| *at >= DateTime::UNIX_EPOCH);
    created.map(SystemTime::from)
}
