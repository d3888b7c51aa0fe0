use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the events that a [`BrokerSpans`](super::BrokerSpans) received. Reads as of now;
/// cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct BrokerCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    recorded: AtomicU64,
    ignored: AtomicU64,
    unreadable: AtomicU64,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Recorded,
    Ignored,
    Unreadable,
}

impl BrokerCounts {
    /// Events that became a span.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.0.recorded.load(Ordering::Relaxed)
    }

    /// Events of messages without a sampled trace, of senders that are not trusted, or that the
    /// sampler here dropped.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.0.ignored.load(Ordering::Relaxed)
    }

    /// Messages that were no event: garbage, compressed, of more than 1 MiB, or with times that no
    /// span can have.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.0.unreadable.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, fate: Fate) {
        let counter = match fate {
            Fate::Recorded => &self.0.recorded,
            Fate::Ignored => &self.0.ignored,
            Fate::Unreadable => &self.0.unreadable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
