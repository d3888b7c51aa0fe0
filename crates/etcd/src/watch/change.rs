use super::cause::Cause;
use super::lookup::{Lookup, Reading};
use super::patience::WITHIN;
use crate::breaker::Breaker;
use crate::counts::Loss;
use etcd_client::Event;
use opentelemetry::Context;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

/// A change that is to be handed on with its cause.
pub(super) struct Change {
    event: Event,
    state: State,
    /// How long the watch had waited when it came.
    pub(super) arrival: Duration,
}

pub(super) enum State {
    Known(Cause),
    /// To be read: the companion of a put.
    Put,
    /// To be read: the note of a deletion.
    Deletion,
    Reading(Reading),
    ReadingDeletion(Reading),
}

/// The note of the deletions of a revision: it is read once for all of them.
#[derive(Clone, Default)]
pub(super) struct Note {
    revision: i64,
    block: Noted,
}

#[derive(Clone, Default)]
enum Noted {
    #[default]
    Unknown,
    Absent,
    Left(Vec<u8>),
}

impl Change {
    pub(super) const fn new(event: Event, state: State, arrival: Duration) -> Self {
        Self {
            event,
            state,
            arrival,
        }
    }

    pub(super) const fn is_known(&self) -> bool {
        matches!(self.state, State::Known(_))
    }

    /// What is not known by now is late.
    pub(super) fn into_known(self) -> (Event, Cause) {
        let cause = match self.state {
            State::Known(cause) => cause,
            _ => Cause::lost(Loss::Late),
        };
        (self.event, cause)
    }

    /// Begins to read what is to be read, and reads on. `note` is that of the deletion before.
    pub(super) fn read(
        &mut self,
        reader: &Reader<'_>,
        note: &mut Note,
        cx: &mut task::Context<'_>,
    ) {
        let deletion = matches!(self.state, State::Deletion | State::ReadingDeletion(_));
        self.begin(reader, note);
        if let State::Reading(reading) | State::ReadingDeletion(reading) = &mut self.state {
            // Reading is not the application's doing: no span, and nobody's child.
            let _quiet = Context::new().with_telemetry_suppressed().attach();
            if let Poll::Ready(cause) = reading.as_mut().poll(cx) {
                reader.unanswered.succeeded();
                self.state = State::Known(cause);
            }
        }
        if deletion {
            note.learn(self);
        }
    }

    fn begin(&mut self, reader: &Reader<'_>, note: &Note) {
        let (State::Put | State::Deletion) = self.state else {
            return;
        };
        let Some(kv) = self.event.kv() else {
            return;
        };
        let (key, revision) = (kv.key(), kv.mod_revision());
        let is_put = matches!(self.state, State::Put);
        if !is_put && note.revision == revision {
            match &note.block {
                // It is being read.
                Noted::Unknown => return,
                Noted::Left(block) => {
                    self.state = State::Known(Cause::writer(block.clone()));
                    return;
                }
                Noted::Absent => {}
            }
        }
        let in_time = reader.waited < self.arrival + WITHIN;
        self.state = match reader.lookup {
            Some(lookup) if in_time && reader.unanswered.admits(Instant::now()) => {
                if is_put {
                    State::Reading(lookup.put(key, revision))
                } else if note.revision == revision {
                    State::ReadingDeletion(lookup.last_writer(key, revision, Loss::Missing))
                } else {
                    State::ReadingDeletion(lookup.deletion(key, revision))
                }
            }
            _ => State::Known(Cause::lost(Loss::Late)),
        };
    }
}

/// What changes are read with.
pub(super) struct Reader<'r> {
    pub(super) lookup: Option<&'r Lookup>,
    pub(super) unanswered: &'r Breaker,
    /// How long the watch has waited.
    pub(super) waited: Duration,
}

impl Note {
    /// What has not been read by now is not waited for any more.
    pub(super) fn give_up(&mut self) {
        if matches!(self.block, Noted::Unknown) {
            self.block = Noted::Absent;
        }
    }

    fn learn(&mut self, deletion: &Change) {
        let revision = deletion.event.kv().map_or(0, |kv| kv.mod_revision());
        self.block = match &deletion.state {
            State::Known(cause) => match cause.note() {
                Some(block) => Noted::Left(block.clone()),
                None => Noted::Absent,
            },
            // The first of a revision reads for the others.
            _ if self.revision == revision => return,
            _ => Noted::Unknown,
        };
        self.revision = revision;
    }
}
