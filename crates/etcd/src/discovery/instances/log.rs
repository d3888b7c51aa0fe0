use super::instance::Change;
use crate::Received;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Changes that were not yet taken; of too many, only that there were too many.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
pub(super) struct Entries {
    changes: VecDeque<Received<Change>>,
    overflowed: bool,
}

/// There were too many changes: they are forgotten, and nothing is taken down while this is held.
pub(super) struct Overflowed<'l>(#[expect(dead_code, reason = "held")] MutexGuard<'l, Entries>);

/// How many changes are kept.
const MOST: usize = 1024;

impl Entries {
    fn has_room_for(&self, more: usize) -> bool {
        !self.overflowed && self.changes.len().saturating_add(more) <= MOST
    }
}

impl Log {
    /// Takes down the changes that `make` brings about, if anybody takes them; in between nobody
    /// takes anything.
    pub(super) fn add(&self, changes: Option<Vec<Received<Change>>>, make: impl FnOnce()) {
        let mut entries = self.entries();
        make();
        let kept = changes.filter(|changes| entries.has_room_for(changes.len()));
        match kept {
            Some(changes) => entries.changes.extend(changes),
            None => {
                *entries = Entries {
                    changes: VecDeque::new(),
                    overflowed: true,
                };
            }
        }
    }

    /// The next change.
    pub(super) fn take(&self) -> Result<Option<Received<Change>>, Overflowed<'_>> {
        let mut entries = self.entries();
        if std::mem::take(&mut entries.overflowed) {
            return Err(Overflowed(entries));
        }
        Ok(entries.changes.pop_front())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Whoever panicked between: the map is what counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
