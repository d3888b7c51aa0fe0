use super::consumer::is_put;
use super::lookup::{Lookup, Reading};
use super::patience::{Patience, WITHIN};
use crate::breaker::Breaker;
use crate::companion::Prefix;
use etcd_client::{Event, WatchResponse};
use opentelemetry::Context;
use std::collections::{HashMap, VecDeque};
use std::task::{self, Poll};
use std::time::{Duration, Instant};

/// How many companions are read at a time.
const READ_AHEAD: usize = 16;
/// How long none is read after one that did not come in time.
const PAUSE: Duration = Duration::from_secs(10);

/// Changes in the order of their arrival, until their companions are known.
pub(super) struct Queue {
    changes: VecDeque<Change>,
    patience: Patience,
    unanswered: Breaker,
}

struct Change {
    event: Event,
    companion: Companion,
    /// How long the watch had waited when it came.
    arrival: Duration,
}

enum Companion {
    Known(Option<Vec<u8>>),
    Unread,
    Reading(Reading),
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            changes: VecDeque::new(),
            patience: Patience::default(),
            unanswered: Breaker::new(1, PAUSE),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.changes.len() >= READ_AHEAD
    }

    /// Takes in the events of a response, in order and without those of companions, which are
    /// under `prefix`. They serve the others if there is a `lookup`.
    pub(super) fn accept(
        &mut self,
        response: &WatchResponse,
        prefix: Option<&Prefix>,
        lookup: Option<&Lookup>,
    ) {
        let arrival = self.patience.waited();
        let companions = companions(response, prefix.filter(|_| lookup.is_some()));
        for event in response.events() {
            let companion = match event.kv() {
                Some(kv) if prefix.is_some_and(|prefix| prefix.strip(kv.key()).is_some()) => {
                    continue;
                }
                Some(kv) if lookup.is_some() && is_put(kv) => companions
                    .get(&(kv.key(), kv.mod_revision()))
                    .map_or(Companion::Unread, |value| {
                        Companion::Known(Some(value.to_vec()))
                    }),
                // Who deleted a key is not known: its companion went with it.
                _ => Companion::Known(None),
            };
            self.changes.push_back(Change {
                event: event.clone(),
                companion,
                arrival,
            });
        }
    }

    /// Reads on, and gives the first change once its companion is known, or has been waited for
    /// too long. `None` when the queue is empty.
    pub(super) fn poll_next(
        &mut self,
        lookup: Option<&Lookup>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<(Event, Option<Vec<u8>>)>> {
        let waited = self.patience.waited();
        for change in self.changes.iter_mut().take(READ_AHEAD) {
            change.read(lookup, &self.unanswered, waited, cx);
        }
        if let Some(front) = self.changes.front()
            && !matches!(front.companion, Companion::Known(_))
        {
            task::ready!(self.patience.poll_wait(front.arrival, cx));
            self.unanswered.failed(Instant::now());
        }
        Poll::Ready(self.changes.pop_front().map(|change| {
            let companion = match change.companion {
                Companion::Known(companion) => companion,
                Companion::Unread | Companion::Reading(_) => None,
            };
            (change.event, companion)
        }))
    }
}

impl Change {
    fn read(
        &mut self,
        lookup: Option<&Lookup>,
        unanswered: &Breaker,
        waited: Duration,
        cx: &mut task::Context<'_>,
    ) {
        if let (Companion::Unread, Some(kv)) = (&self.companion, self.event.kv()) {
            let in_time = waited < self.arrival + WITHIN;
            self.companion = match lookup {
                Some(lookup) if in_time && unanswered.admits(Instant::now()) => {
                    Companion::Reading(lookup.read(kv.key(), kv.mod_revision()))
                }
                _ => Companion::Known(None),
            };
        }
        if let Companion::Reading(reading) = &mut self.companion {
            // Reading is not the application's doing: no span, and nobody's child.
            let _quiet = Context::new().with_telemetry_suppressed().attach();
            if let Poll::Ready(companion) = reading.as_mut().poll(cx) {
                unanswered.succeeded();
                self.companion = Companion::Known(companion);
            }
        }
    }
}

/// The values of the companions among the events of a response, by key and revision of what they
/// are beside.
fn companions<'r>(
    response: &'r WatchResponse,
    prefix: Option<&Prefix>,
) -> HashMap<(&'r [u8], i64), &'r [u8]> {
    let companion = |event: &'r Event| {
        let kv = event.kv().filter(|kv| is_put(kv))?;
        let key = prefix?.strip(kv.key())?;
        Some(((key, kv.mod_revision()), kv.value()))
    };
    response.events().iter().filter_map(companion).collect()
}
