//! The received spans, by trace.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::span::Span;

/// Grows without bound unless told to keep a number of traces: an exporter never waits for a
/// reader.
#[derive(Debug)]
pub(super) struct Store {
    state: Mutex<State>,
    keep_traces: usize,
    /// Counts the exports that brought spans.
    revision: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    traces: HashMap<[u8; 16], Trace>,
    /// Oldest first, by the arrival of the first span.
    order: VecDeque<[u8; 16]>,
    revision: u64,
}

#[derive(Debug, Default)]
struct Trace {
    spans: Vec<Span>,
    /// The revision that brought its last span.
    revision: u64,
}

impl Store {
    pub(super) fn new(keep_traces: usize) -> Self {
        Self {
            state: Mutex::default(),
            keep_traces,
            revision: watch::Sender::new(0),
        }
    }

    pub(super) fn add(&self, spans: Vec<Span>) {
        if spans.is_empty() {
            return;
        }
        let (revision, evicted) = {
            let mut state = self.state();
            (state.add(spans), state.evict(self.keep_traces))
        };
        // a reader that asks now sees the spans already
        self.revision
            .send_modify(|sent| *sent = revision.max(*sent));
        drop(evicted);
    }

    /// Every span: traces by age, spans of a trace in the order of arrival.
    pub(super) fn spans(&self) -> Vec<Span> {
        let state = self.state();
        let traces = state.order.iter().filter_map(|id| state.traces.get(id));
        traces.flat_map(|trace| &trace.spans).cloned().collect()
    }

    pub(super) fn span_count(&self) -> usize {
        self.state()
            .traces
            .values()
            .map(|trace| trace.spans.len())
            .sum()
    }

    pub(super) fn trace(&self, trace_id: [u8; 16]) -> Vec<Span> {
        let state = self.state();
        let trace = state.traces.get(&trace_id);
        trace.map(|trace| trace.spans.clone()).unwrap_or_default()
    }

    /// The traces, oldest first.
    pub(super) fn trace_ids(&self) -> Vec<[u8; 16]> {
        self.state().order.iter().copied().collect()
    }

    /// The traces that got spans after a revision, oldest first, and the present revision.
    pub(super) fn changed_since(&self, revision: u64) -> (Vec<[u8; 16]>, u64) {
        let state = self.state();
        let changed = |id: &&[u8; 16]| {
            let trace = state.traces.get(*id);
            trace.is_some_and(|trace| trace.revision > revision)
        };
        let ids = state.order.iter().filter(changed).copied().collect();
        (ids, state.revision)
    }

    pub(super) fn clear(&self) {
        let cleared = {
            let mut state = self.state();
            state.order.clear();
            std::mem::take(&mut state.traces)
        };
        drop(cleared);
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Nothing under the lock can leave the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, spans: Vec<Span>) -> u64 {
        self.revision += 1;
        for span in spans {
            let trace = self.traces.entry(span.trace_id).or_insert_with(|| {
                self.order.push_back(span.trace_id);
                Trace::default()
            });
            trace.revision = self.revision;
            trace.spans.push(span);
        }
        self.revision
    }

    /// The traces beyond `keep`, to be freed outside of the lock.
    fn evict(&mut self, keep: usize) -> Vec<Trace> {
        let excess = self.order.len().saturating_sub(keep);
        let oldest = self.order.drain(..excess);
        oldest.filter_map(|id| self.traces.remove(&id)).collect()
    }
}
