use std::time::{Duration, SystemTime};

/// How the span that processes a message relates to the sender's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is a child: the trace continues.
    Parent,
    /// It is not, but it has a link.
    Link,
}

/// How a message arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When it was sent, if that is known.
    pub sent_at: Option<SystemTime>,
    /// It was delivered before, or is replayed from a store.
    pub repeated: bool,
    /// It is one of several that are processed together.
    pub batch: bool,
}

/// When a message continues its sender's trace: one rule for every message transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RelationRule {
    forced: Option<Relation>,
    max_age: Duration,
}

impl RelationRule {
    /// The age beyond which a message is stale, if not said otherwise: by then a collector that
    /// samples by whole traces has decided on the sender's.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);

    /// A fresh single message is a child of its sender; one that is older than `age`, repeated
    /// or one of a batch is linked.
    pub const fn fresh_within(age: Duration) -> Self {
        Self {
            forced: None,
            max_age: age,
        }
    }

    /// Always this relation, whatever the delivery. Where a span is current the message is
    /// linked all the same, since a span has one parent.
    pub const fn always(relation: Relation) -> Self {
        Self {
            forced: Some(relation),
            max_age: Self::DEFAULT_MAX_AGE,
        }
    }

    /// `apart`: there is another parent, or the sender may only be linked.
    pub(super) fn apply(
        &self,
        delivery: &Delivery,
        apart: bool,
        now: impl FnOnce() -> SystemTime,
    ) -> Relation {
        let stale = || {
            let age = |at| now().duration_since(at).ok();
            let age = delivery.sent_at.and_then(age);
            delivery.repeated || delivery.batch || age.is_some_and(|age| age > self.max_age)
        };
        match self.forced {
            _ if apart => Relation::Link,
            Some(relation) => relation,
            None if stale() => Relation::Link,
            None => Relation::Parent,
        }
    }
}

impl Default for RelationRule {
    fn default() -> Self {
        Self::fresh_within(Self::DEFAULT_MAX_AGE)
    }
}
