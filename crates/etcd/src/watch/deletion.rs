use super::consumer::Changes;
use crate::attributes::{CHANGE_LEASED, CHANGE_LINK};
use dynamo_trace_core::Instrumentation;
use dynamo_trace_core::received::Consumer;
use etcd_client::Event;
use opentelemetry::KeyValue as Attribute;
use opentelemetry::trace::SpanBuilder;
use std::sync::Arc;

/// A deletion without a note of who deleted.
pub(super) struct Deletion {
    pub(super) changes: Arc<Changes>,
    /// The link leads to who had put the key.
    pub(super) links_last_writer: bool,
    pub(super) was_leased: bool,
}

impl Consumer<Event> for Deletion {
    fn span(&self, event: &Event) -> SpanBuilder {
        let mut attributes = self.changes.attributes(event.kv());
        if self.links_last_writer {
            attributes.push(Attribute::new(CHANGE_LINK, "last_writer"));
        }
        if self.was_leased {
            attributes.push(Attribute::new(CHANGE_LEASED, true));
        }
        self.changes.build(attributes)
    }

    fn instrumentation(&self) -> &Instrumentation {
        Consumer::<Event>::instrumentation(&*self.changes)
    }
}
