use super::cause::Cause;
use super::change::{Change, Note, Reader};
use super::lookup::Lookup;
use super::patience::Patience;
use super::sources::Sources;
use crate::breaker::Breaker;
use etcd_client::Event;
use std::collections::VecDeque;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

/// How many causes are read at a time.
const READ_AHEAD: usize = 16;
/// How long none is read after one that did not come in time.
const PAUSE: Duration = Duration::from_secs(10);

/// Changes in the order of their arrival, until their causes are known.
pub(super) struct Queue {
    changes: VecDeque<Change>,
    patience: Patience,
    unanswered: Breaker,
    /// Of the last deletion that was handed on.
    note: Note,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            changes: VecDeque::new(),
            patience: Patience::default(),
            unanswered: Breaker::new(1, PAUSE),
            note: Note::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.changes.len() >= READ_AHEAD
    }

    /// Takes in the events of a response, in order and without those of companions, which serve
    /// the others.
    pub(super) fn accept(&mut self, events: &[Event], sources: &Sources<'_>) {
        let arrival = self.patience.waited();
        for event in events {
            if let Some(state) = sources.of(event) {
                let change = Change::new(event.clone(), state, arrival);
                self.changes.push_back(change);
            }
        }
    }

    /// Reads on, and gives the first change once its cause is known, or has been waited for too
    /// long. `None` when the queue is empty.
    pub(super) fn poll_next(
        &mut self,
        lookup: Option<&Lookup>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<(Event, Cause)>> {
        let reader = Reader {
            lookup,
            unanswered: &self.unanswered,
            waited: self.patience.waited(),
        };
        let mut note = self.note.clone();
        for (at, change) in self.changes.iter_mut().take(READ_AHEAD).enumerate() {
            change.read(&reader, &mut note, cx);
            if at == 0 {
                self.note = note.clone();
            }
        }
        if let Some(front) = self.changes.front()
            && !front.is_known()
        {
            task::ready!(self.patience.poll_wait(front.arrival, cx));
            self.unanswered.failed(Instant::now());
            self.note.give_up();
        }
        Poll::Ready(self.changes.pop_front().map(Change::into_known))
    }
}
