use super::instance::Change;
use crate::attributes::{
    CHANGE_REVISION, DB_SYSTEM_NAME, ETCD, INSTANCE_CHANGE, INSTANCE_NOTICED_AFTER,
    MESSAGING_DESTINATION_NAME, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
};
use crate::client::Shared;
use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::{Detail, Instrumentation, Received, Remote};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

/// Describes the spans of changes. No key, no value.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    instrumentation: Instrumentation,
    pub(super) relation: RelationRule,
    name: Cow<'static, str>,
    destination: Option<String>,
    /// The revision of the first reading: what it found is a replay.
    began_at: i64,
}

impl Spans {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            instrumentation: shared.instrumentation.clone(),
            relation: shared.relation,
            name: Cow::Borrowed("process instance"),
            destination: None,
            began_at: 0,
        }
    }

    pub(super) fn set_destination(&mut self, destination: String) {
        self.name = Cow::Owned(format!("process {destination}"));
        self.destination = Some(destination);
    }

    pub(super) const fn begin_at(mut self, revision: i64) -> Self {
        self.began_at = revision;
        self
    }

    pub(super) const fn is_replay(&self, revision: i64) -> bool {
        revision <= self.began_at
    }

    /// A change, with the context of who made it and when that was.
    pub(super) fn of(
        self: &Arc<Self>,
        change: Change,
        remote: Remote,
        sent_at: Option<SystemTime>,
    ) -> Received<Change> {
        let is_put = !matches!(change, Change::Left(_));
        let delivery = Delivery {
            sent_at,
            repeated: is_put && self.is_replay(change.instance().mod_revision),
            batch: false,
        };
        let consumer = Arc::clone(self) as Arc<dyn Consumer<Change>>;
        Received::new(change, remote, delivery, consumer)
    }

    fn attributes(&self, change: &Change) -> Vec<KeyValue> {
        let what = match change {
            Change::Joined(_) => "joined",
            Change::Updated(_) => "updated",
            Change::Left(_) => "left",
        };
        let mut attributes = vec![
            KeyValue::new(DB_SYSTEM_NAME, ETCD),
            KeyValue::new(MESSAGING_SYSTEM, ETCD),
            KeyValue::new(MESSAGING_OPERATION_TYPE, "process"),
            KeyValue::new(MESSAGING_OPERATION_NAME, "process"),
            KeyValue::new(INSTANCE_CHANGE, what),
        ];
        if !matches!(change, Change::Left(_)) {
            let instance = change.instance();
            attributes.push(KeyValue::new(CHANGE_REVISION, instance.mod_revision));
            let seconds = instance.noticed_after.map(|after| after.as_secs_f64());
            attributes.extend(seconds.map(|s| KeyValue::new(INSTANCE_NOTICED_AFTER, s)));
        }
        let destination = self.destination.clone();
        attributes.extend(destination.map(|name| KeyValue::new(MESSAGING_DESTINATION_NAME, name)));
        attributes
    }

    /// A change of which no more is known than who last put the instance.
    pub(super) fn of_old(self: &Arc<Self>, change: Change) -> Received<Change> {
        let writer = change.instance().writer.clone();
        let remote = writer.map_or_else(Remote::default, Remote::linked);
        self.of(change, remote, None)
    }
}

impl Consumer<Change> for Spans {
    fn span(&self, change: &Change) -> SpanBuilder {
        self.span_with(change, Detail::Full)
    }

    fn span_with(&self, change: &Change, detail: Detail) -> SpanBuilder {
        SpanBuilder {
            name: self.name.clone(),
            span_kind: Some(SpanKind::Consumer),
            attributes: (detail == Detail::Full).then(|| self.attributes(change)),
            ..SpanBuilder::default()
        }
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.relation
    }
}
