use super::cause::Cause;
use super::deletion::Deletion;
use crate::attributes::{
    CHANGE_REVISION, CHANGE_TYPE, DB_SYSTEM_NAME, ETCD, MESSAGING_DESTINATION_NAME,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM,
};
use crate::carrier;
use crate::client::Shared;
use crate::companion::Companions;
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::{Instrumentation, Received, Remote, Trust};
use etcd_client::{Event, KeyValue};
use opentelemetry::KeyValue as Attribute;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

/// Describes the spans of a watch's changes. No key, no value.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    instrumentation: Instrumentation,
    companions: Arc<Companions>,
    pub(super) trust: Trust,
    pub(super) relation: RelationRule,
    name: Cow<'static, str>,
    destination: Option<String>,
    /// The revision at which the watch began: what is older is a replay.
    created_at: i64,
}

impl Changes {
    pub(crate) fn new(shared: &Shared, created_at: i64) -> Self {
        Self {
            instrumentation: shared.instrumentation.clone(),
            companions: Arc::clone(&shared.companions),
            trust: shared.trust.clone(),
            relation: shared.relation,
            name: Cow::Borrowed("process change"),
            destination: None,
            created_at,
        }
    }

    pub(super) fn set_destination(&mut self, destination: String) {
        self.name = Cow::Owned(format!("process {destination}"));
        self.destination = Some(destination);
    }

    /// The event with its cause.
    pub(super) fn receive(self: &Arc<Self>, event: Event, cause: Cause) -> Received<Event> {
        let (remote, sent_at) = self.read(&cause);
        let revision = event.kv().map(KeyValue::mod_revision);
        let delivery = Delivery {
            sent_at,
            repeated: revision.is_some_and(|revision| revision <= self.created_at),
            batch: false,
        };
        let changes = Arc::clone(self);
        let leased_before = |kv: &KeyValue| kv.lease() != 0;
        let was_leased = cause.was_leased
            || cause.lacks_note(&event) && event.prev_kv().is_some_and(leased_before);
        if !cause.is_last_writer && !was_leased {
            return Received::new(event, remote, delivery, changes);
        }
        let linked = remote.span_context().cloned().map(Remote::linked);
        let deletion = Deletion {
            changes,
            links_last_writer: cause.is_last_writer && linked.is_some(),
            was_leased,
        };
        Received::new(
            event,
            linked.unwrap_or_default(),
            delivery,
            Arc::new(deletion),
        )
    }

    /// A pair that was read, with the context of who wrote it.
    pub(crate) fn found(self: &Arc<Self>, kv: KeyValue, cause: Cause) -> Received<KeyValue> {
        let (remote, sent_at) = self.read(&cause);
        // It is the state of the store, whenever it was written.
        let delivery = Delivery {
            sent_at,
            repeated: true,
            batch: false,
        };
        let consumer = Arc::clone(self) as Arc<dyn Consumer<KeyValue>>;
        Received::new(kv, remote, delivery, consumer)
    }

    fn read(&self, cause: &Cause) -> (Remote, Option<SystemTime>) {
        let propagation = self.instrumentation.propagation();
        let read = |block: &Vec<u8>| carrier::read(propagation, &self.trust, block);
        let counts = self.companions.counts();
        if let Some(loss) = cause.loss {
            counts.lost(loss);
        }
        match cause.block.as_ref().map(read) {
            None => (Remote::default(), None),
            Some(Ok(found)) => found,
            Some(Err(loss)) => {
                counts.lost(loss);
                (Remote::default(), None)
            }
        }
    }

    pub(super) fn attributes(&self, kv: Option<&KeyValue>) -> Vec<Attribute> {
        let mut attributes = vec![
            Attribute::new(DB_SYSTEM_NAME, ETCD),
            Attribute::new(MESSAGING_SYSTEM, ETCD),
            Attribute::new(MESSAGING_OPERATION_TYPE, "process"),
            Attribute::new(MESSAGING_OPERATION_NAME, "process"),
        ];
        if let Some(kv) = kv {
            let change = if is_put(kv) { "put" } else { "delete" };
            attributes.push(Attribute::new(CHANGE_TYPE, change));
            attributes.push(Attribute::new(CHANGE_REVISION, kv.mod_revision()));
        }
        let destination = self.destination.clone();
        attributes.extend(destination.map(|name| Attribute::new(MESSAGING_DESTINATION_NAME, name)));
        attributes
    }

    pub(super) fn build(&self, attributes: Vec<Attribute>) -> SpanBuilder {
        SpanBuilder::from_name(self.name.clone())
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes)
    }
}

impl Consumer<Event> for Changes {
    fn span(&self, event: &Event) -> SpanBuilder {
        self.build(self.attributes(event.kv()))
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.relation
    }
}

impl Consumer<KeyValue> for Changes {
    fn span(&self, kv: &KeyValue) -> SpanBuilder {
        self.build(self.attributes(Some(kv)))
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.relation
    }
}

/// Whether the pair is what a put wrote. Only a deleted key has version 0;
/// [`Event::event_type`] panics on types that etcd-client does not know.
pub(super) const fn is_put(kv: &KeyValue) -> bool {
    kv.version() > 0
}
