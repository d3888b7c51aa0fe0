//! Waiting for spans: for a condition, never for a time.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::watch;

use super::{Receiver, store::Store};
use crate::{span::Span, tree::Tree};

/// The most lines of the tree that a [`Timeout`] prints.
const SHOWN_LINES: usize = 200;

impl Receiver {
    /// Waits until a condition holds for the received spans, and returns them.
    ///
    /// The condition is asked at once and then after every export that brought spans. It sees
    /// what [`spans`](Self::spans) returns; it runs outside of any lock.
    ///
    /// # Errors
    ///
    /// [`Timeout`] when the condition does not hold in time; it prints the tree of what did
    /// arrive.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the spans stay in the receiver.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with time enabled.
    pub async fn wait_for(
        &self,
        mut condition: impl FnMut(&[Span]) -> bool,
        timeout: Duration,
    ) -> Result<Vec<Span>, Timeout> {
        let attempt = || {
            let spans = self.spans();
            condition(&spans).then_some(spans)
        };
        self.wait(attempt, timeout).await
    }

    /// Waits until at least `count` spans have arrived, and returns all of them.
    ///
    /// # Errors
    ///
    /// [`Timeout`] when fewer arrive in time.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the spans stay in the receiver.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with time enabled.
    pub async fn wait_for_spans(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Span>, Timeout> {
        let attempt = || (self.store.span_count() >= count).then(|| self.spans());
        self.wait(attempt, timeout).await
    }

    /// Waits until a condition holds for the spans of one trace, and returns them.
    ///
    /// # Errors
    ///
    /// [`Timeout`] when the condition does not hold in time; it prints all that arrived, not
    /// only the trace.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the spans stay in the receiver.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with time enabled.
    pub async fn wait_for_trace(
        &self,
        trace_id: [u8; 16],
        mut condition: impl FnMut(&[Span]) -> bool,
        timeout: Duration,
    ) -> Result<Vec<Span>, Timeout> {
        let attempt = || {
            let spans = self.trace(trace_id);
            condition(&spans).then_some(spans)
        };
        self.wait(attempt, timeout).await
    }

    /// Notices of new spans, for a process that shows traces as they arrive.
    pub fn subscribe(&self) -> Arrivals {
        let mut revision = self.store.watch();
        let seen = *revision.borrow_and_update();
        Arrivals {
            store: Arc::downgrade(&self.store),
            revision,
            seen,
        }
    }

    async fn wait(
        &self,
        mut attempt: impl FnMut() -> Option<Vec<Span>>,
        timeout: Duration,
    ) -> Result<Vec<Span>, Timeout> {
        let mut revision = self.store.watch();
        let arrival = async {
            loop {
                // marked as seen before looking, so that no arrival goes unnoticed
                revision.mark_unchanged();
                if let Some(spans) = attempt() {
                    return Some(spans);
                }
                revision.changed().await.ok()?;
            }
        };
        let arrived = tokio::time::timeout(timeout, arrival).await;
        arrived.ok().flatten().ok_or_else(|| Timeout {
            after: timeout,
            spans: self.spans(),
        })
    }
}

/// The awaited spans did not arrive in time.
///
/// Both `Display` and `Debug` print the tree of what did arrive, so that `unwrap` says it.
pub struct Timeout {
    after: Duration,
    spans: Vec<Span>,
}

impl Timeout {
    /// The spans that had arrived, of all traces.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.spans.len();
        write!(f, "not what was waited for after {:?}; ", self.after)?;
        match count {
            0 => return f.write_str("no span arrived"),
            1 => f.write_str("1 span arrived:")?,
            _ => write!(f, "{count} spans arrived:")?,
        }
        let tree = Tree::new(&self.spans).render();
        let mut lines = tree.lines();
        for line in lines.by_ref().take(SHOWN_LINES) {
            write!(f, "\n{line}")?;
        }
        match lines.count() {
            0 => Ok(()),
            more => write!(f, "\n.. and {more} more lines"),
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Timeout {}

/// Notices of new spans: see [`Receiver::subscribe`].
///
/// Notices are merged while nobody reads, so a slow reader costs no memory.
#[derive(Debug)]
pub struct Arrivals {
    store: Weak<Store>,
    revision: watch::Receiver<u64>,
    seen: u64,
}

impl Arrivals {
    /// Waits for new spans and returns the traces that got some since the last call (or since
    /// [`Receiver::subscribe`]), oldest first. `None` once the receiver is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Vec<[u8; 16]>> {
        loop {
            self.revision.changed().await.ok()?;
            let (traces, revision) = self.store.upgrade()?.changed_since(self.seen);
            self.seen = revision;
            // empty when they are already cleared or evicted
            if !traces.is_empty() {
                return Some(traces);
            }
        }
    }
}
