use crate::attributes::{
    CHANGE_REVISION, CHANGE_TYPE, DB_SYSTEM_NAME, ETCD, MESSAGING_DESTINATION_NAME,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM,
};
use crate::carrier;
use crate::client::Shared;
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::{Instrumentation, Received, Remote, Trust};
use etcd_client::Event;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
use std::sync::Arc;

/// Describes the spans of a watch's changes. No key, no value.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    instrumentation: Instrumentation,
    pub(super) trust: Trust,
    pub(super) relation: RelationRule,
    name: Cow<'static, str>,
    destination: Option<String>,
    /// The revision at which the watch began: what is older is a replay.
    created_at: i64,
}

impl Changes {
    pub(super) fn new(shared: &Shared, created_at: i64) -> Self {
        Self {
            instrumentation: shared.instrumentation.clone(),
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

    /// The event with what its companion says.
    pub(super) fn receive(
        self: &Arc<Self>,
        event: Event,
        companion: Option<&[u8]>,
    ) -> Received<Event> {
        let (remote, sent_at) = companion.map_or_else(
            || (Remote::default(), None),
            |companion| carrier::read(self.instrumentation.propagation(), &self.trust, companion),
        );
        let revision = event.kv().map(etcd_client::KeyValue::mod_revision);
        let delivery = Delivery {
            sent_at,
            repeated: revision.is_some_and(|revision| revision <= self.created_at),
            batch: false,
        };
        let consumer = Arc::clone(self) as Arc<dyn Consumer<Event>>;
        Received::new(event, remote, delivery, consumer)
    }
}

impl Consumer<Event> for Changes {
    fn span(&self, event: &Event) -> SpanBuilder {
        let mut attributes = vec![
            KeyValue::new(DB_SYSTEM_NAME, ETCD),
            KeyValue::new(MESSAGING_SYSTEM, ETCD),
            KeyValue::new(MESSAGING_OPERATION_TYPE, "process"),
            KeyValue::new(MESSAGING_OPERATION_NAME, "process"),
        ];
        if let Some(kv) = event.kv() {
            let change = if is_put(kv) { "put" } else { "delete" };
            attributes.push(KeyValue::new(CHANGE_TYPE, change));
            attributes.push(KeyValue::new(CHANGE_REVISION, kv.mod_revision()));
        }
        let destination = self.destination.clone();
        attributes.extend(destination.map(|name| KeyValue::new(MESSAGING_DESTINATION_NAME, name)));
        SpanBuilder::from_name(self.name.clone())
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes)
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
pub(super) const fn is_put(kv: &etcd_client::KeyValue) -> bool {
    kv.version() > 0
}
