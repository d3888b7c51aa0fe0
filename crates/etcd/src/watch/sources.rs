use super::cause::Cause;
use super::change::State;
use super::consumer::is_put;
use crate::aside::Aside;
use crate::companion::Prefix;
use crate::counts::Loss;
use crate::places::{Place, Places};
use dynamo_trace_core::ContextBlock;
use etcd_client::{Event, KeyValue};
use std::collections::HashMap;

/// Where the causes of the changes in a response are.
pub(super) struct Sources<'s> {
    places: &'s Places,
    aside: Option<&'s Aside>,
    /// The values of the companions among the events, by the key and the revision of what they
    /// are beside.
    companions: HashMap<(&'s [u8], i64), &'s [u8]>,
    are_wanted: bool,
}

impl<'s> Sources<'s> {
    pub(super) fn new(
        events: &'s [Event],
        places: &'s Places,
        aside: Option<&'s Aside>,
        are_wanted: bool,
    ) -> Self {
        let prefix = places.companions().filter(|_| are_wanted);
        let companion = |event: &'s Event| {
            let kv = event.kv().filter(|kv| is_put(kv))?;
            let key = prefix?.strip(kv.key())?;
            Some(((key, kv.mod_revision()), kv.value()))
        };
        Self {
            companions: events.iter().filter_map(companion).collect(),
            places,
            aside,
            are_wanted,
        }
    }

    /// What is known of the cause of a change; `None` for a companion, which is no change.
    pub(super) fn of(&self, event: &Event) -> Option<State> {
        let nothing = State::Known(Cause::default());
        let Some(kv) = event.kv() else {
            return Some(nothing);
        };
        if is_companion(self.places.companions(), kv) {
            return None;
        }
        if !self.are_wanted {
            return Some(nothing);
        }
        Some(match (self.places.of(kv.key()), is_put(kv)) {
            (Place::Companion, true) => self.beside(kv.key(), kv, State::Put),
            (Place::Companion, false) => self.beside(b"", kv, State::Deletion),
            (Place::Envelope, true) => State::Known(self.sealed(kv)),
            (Place::Envelope, false) => State::Known(self.deleted(event)),
            (Place::Nowhere, _) => nothing,
        })
    }

    /// The companion of `key`, if it came in the same response.
    fn beside(&self, key: &[u8], kv: &KeyValue, unread: State) -> State {
        let found = self.companions.get(&(key, kv.mod_revision()));
        found.map_or(unread, |block| {
            // Of what is too long, enough to see so.
            let block = block.get(..=ContextBlock::MAX_LEN).unwrap_or(block);
            State::Known(Cause::writer(block.to_vec()))
        })
    }

    fn sealed(&self, kv: &KeyValue) -> Cause {
        let found = self
            .aside
            .and_then(|aside| aside.take(kv.key(), revision(kv)));
        found.map_or_else(
            || Cause::lost(Loss::Missing),
            |block| Cause::writer(block.into()),
        )
    }

    /// Who deletes leaves nothing; the value before has the context of the last writer.
    fn deleted(&self, event: &Event) -> Cause {
        let block = event.prev_kv().and_then(|before| {
            let aside = self.aside?;
            aside.take(before.key(), revision(before))
        });
        Cause {
            is_last_writer: block.is_some(),
            block: block.map(Into::into),
            was_leased: false,
            loss: Some(Loss::Missing),
        }
    }
}

fn is_companion(prefix: Option<&Prefix>, kv: &KeyValue) -> bool {
    prefix.is_some_and(|prefix| prefix.strip(kv.key()).is_some())
}

/// As it stands on the wire.
const fn revision(kv: &KeyValue) -> u64 {
    kv.mod_revision().cast_unsigned()
}
