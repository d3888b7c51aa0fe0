use super::consumer::is_put;
use super::lookup::{Lookup, Reading};
use etcd_client::{Event, WatchResponse};
use opentelemetry::Context;
use std::collections::VecDeque;
use std::task::{self, Poll};

/// How many companions are read at a time.
const READ_AHEAD: usize = 16;

/// Changes in the order of their arrival, until their companions are known.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Change>);

struct Change {
    event: Event,
    companion: Companion,
}

enum Companion {
    Known(Option<Vec<u8>>),
    Unread,
    Reading(Reading),
}

impl Queue {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= READ_AHEAD
    }

    /// Takes in the events of a response, in order and without companions, if there are any to
    /// be read.
    pub(super) fn accept(&mut self, response: &WatchResponse, lookup: Option<&Lookup>) {
        let companions: Vec<_> = response
            .events()
            .iter()
            .filter_map(|event| Beside::read(event, lookup?))
            .collect();
        for event in response.events() {
            let known = match (event.kv(), lookup) {
                (Some(kv), Some(lookup)) if lookup.prefix.strip(kv.key()).is_some() => continue,
                (Some(kv), Some(_)) if is_put(kv) => companions
                    .iter()
                    .find(|beside| beside.key == kv.key() && beside.revision == kv.mod_revision())
                    .map(|beside| Some(beside.value.to_vec())),
                // Who deleted a key is not known: its companion went with it.
                _ => Some(None),
            };
            self.0.push_back(Change {
                event: event.clone(),
                companion: known.map_or(Companion::Unread, Companion::Known),
            });
        }
    }

    /// Reads on, and gives the first change once its companion is known. `None` when the queue
    /// is empty.
    pub(super) fn poll_next(
        &mut self,
        lookup: Option<&Lookup>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<(Event, Option<Vec<u8>>)>> {
        for change in self.0.iter_mut().take(READ_AHEAD) {
            change.read(lookup, cx);
        }
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Change {
                event,
                companion: Companion::Known(companion),
            }) => Poll::Ready(Some((event, companion))),
            Some(unknown) => {
                self.0.push_front(unknown);
                Poll::Pending
            }
        }
    }
}

impl Change {
    fn read(&mut self, lookup: Option<&Lookup>, cx: &mut task::Context<'_>) {
        if let (Companion::Unread, Some(kv)) = (&self.companion, self.event.kv()) {
            self.companion = match lookup {
                Some(lookup) => Companion::Reading(lookup.read(kv.key(), kv.mod_revision())),
                None => Companion::Known(None),
            };
        }
        if let Companion::Reading(reading) = &mut self.companion {
            // Reading is not the application's doing: no span, and nobody's child.
            let _quiet = Context::new().with_telemetry_suppressed().attach();
            if let Poll::Ready(companion) = reading.as_mut().poll(cx) {
                self.companion = Companion::Known(companion);
            }
        }
    }
}

/// A companion among the events of a response.
struct Beside<'r> {
    key: &'r [u8],
    revision: i64,
    value: &'r [u8],
}

impl<'r> Beside<'r> {
    fn read(event: &'r Event, lookup: &Lookup) -> Option<Self> {
        let kv = event.kv().filter(|kv| is_put(kv))?;
        Some(Self {
            key: lookup.prefix.strip(kv.key())?,
            revision: kv.mod_revision(),
            value: kv.value(),
        })
    }
}
