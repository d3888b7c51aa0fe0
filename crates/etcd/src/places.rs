use crate::companion::Prefix;
use std::cmp::Reverse;

/// Where the context of a put rests, for the keys under a prefix: see
/// [`ClientBuilder::with_context_at`](crate::ClientBuilder::with_context_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// Beside the value, in a key of its own: the default. Values stay as they are.
    Companion,
    /// In front of the value, in an envelope that clients of this crate put on and take off again.
    /// Others see it. For those who cannot spare a second key.
    Envelope,
    /// Nowhere: changes come without a context.
    Nowhere,
}

/// The place of every key.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    companions: Option<Prefix>,
    /// Prefixes of keys, longest first.
    rules: Vec<(Vec<u8>, Place)>,
}

impl Places {
    /// Without a prefix for them there are no companions. Of two rules for one prefix the later
    /// counts.
    pub(crate) fn new(companions: Option<Prefix>, mut rules: Vec<(Vec<u8>, Place)>) -> Self {
        rules.reverse();
        rules.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        Self { companions, rules }
    }

    /// The prefix of companions, which are no keys of the user's.
    pub(crate) const fn companions(&self) -> Option<&Prefix> {
        self.companions.as_ref()
    }

    pub(crate) fn have_envelopes(&self) -> bool {
        let mut places = self.rules.iter().map(|(_, place)| place);
        places.any(|place| *place == Place::Envelope)
    }

    /// Where the context of what is put under `key` rests.
    pub(crate) fn of(&self, key: &[u8]) -> Place {
        let is_companion = |prefix: &Prefix| prefix.strip(key).is_some();
        if key.is_empty() || self.companions.as_ref().is_some_and(is_companion) {
            return Place::Nowhere;
        }
        self.resolve(|prefix| key.starts_with(prefix))
    }

    /// Whether the range may have keys whose context rests in this place. An empty end makes a
    /// range of one key, `\0` one to the end of all keys.
    pub(crate) fn may_have(&self, place: Place, key: &[u8], range_end: &[u8]) -> bool {
        if range_end.is_empty() {
            return self.of(key) == place;
        }
        let contains = |prefix: &[u8]| {
            key.starts_with(prefix)
                && prefix_end(prefix).is_none_or(|end| range_end != b"\0" && *range_end <= *end)
        };
        let meets = |prefix: &[u8]| {
            (range_end == b"\0" || prefix < range_end)
                && prefix_end(prefix).is_none_or(|end| *key < *end)
        };
        // Those behind the one that contains the range are overruled by it.
        let rules = self.rules.iter();
        let mut within = rules.take_while(|(prefix, _)| !contains(prefix));
        self.resolve(contains) == place
            || within.any(|(prefix, rule)| *rule == place && meets(prefix))
    }

    fn resolve(&self, applies: impl Fn(&[u8]) -> bool) -> Place {
        let rule = self.rules.iter().find(|(prefix, _)| applies(prefix));
        match rule.map_or(Place::Companion, |(_, place)| *place) {
            Place::Companion if self.companions.is_none() => Place::Nowhere,
            place => place,
        }
    }
}

/// The first key behind all that begin with `prefix`; `None` where there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(rules: &[(&str, Place)]) -> Places {
        let rules = rules
            .iter()
            .map(|(prefix, place)| ((*prefix).into(), *place));
        Places::new(Prefix::new("p/".into()), rules.collect())
    }

    #[test]
    fn the_longest_prefix_wins_and_of_equal_ones_the_later() {
        let places = places(&[
            ("a/", Place::Nowhere),
            ("a/b/", Place::Companion),
            ("a/", Place::Envelope),
        ]);
        assert_eq!(places.of(b"a/1"), Place::Envelope);
        assert_eq!(places.of(b"a/b/1"), Place::Companion);
        assert_eq!(places.of(b"b"), Place::Companion);
        assert_eq!(places.of(b"p/a/1"), Place::Nowhere);
        let others = Places::new(None, vec![(b"a".into(), Place::Envelope)]);
        assert_eq!(others.of(b"a"), Place::Envelope);
        assert_eq!(others.of(b"b"), Place::Nowhere);
    }

    #[test]
    fn a_range_within_a_prefix_has_no_other_places() {
        let places = places(&[("a/", Place::Envelope), ("a/n/", Place::Nowhere)]);
        let may_have =
            |place, key: &str, end: &str| places.may_have(place, key.as_bytes(), end.as_bytes());
        assert!(!may_have(Place::Companion, "a/", "a0"));
        assert!(may_have(Place::Envelope, "a/", "a0"));
        assert!(!may_have(Place::Envelope, "a/n/", "a/n0"));
        assert!(may_have(Place::Companion, "a/", "a1"));
        assert!(may_have(Place::Companion, "a/", "\0"));
        assert!(may_have(Place::Envelope, "\0", "\0"));
        assert!(!may_have(Place::Envelope, "b", "\0"));
    }

    proptest! {
        #[test]
        fn no_key_of_a_range_is_overlooked(
            rules in proptest::collection::vec(("[ab\u{ff}]{0,3}", 0..3usize), 0..4),
            keys in proptest::collection::vec("[abcp/]{1,4}", 3),
            open: bool,
        ) {
            let all = [Place::Companion, Place::Envelope, Place::Nowhere];
            let rules = rules.into_iter().map(|(prefix, n)| (prefix.into_bytes(), all[n]));
            let places = Places::new(Prefix::new("p/".into()), rules.collect());
            let mut keys = keys;
            keys.sort();
            let end = if open { "\0" } else { &*keys[2] };
            let within = |key: &&String| key.as_str() < keys[2].as_str() || open;
            for key in keys.iter().filter(within) {
                let place = places.of(key.as_bytes());
                // Companions are in every range, whatever the rules.
                if !key.starts_with("p/") {
                    prop_assert!(places.may_have(place, keys[0].as_bytes(), end.as_bytes()));
                }
            }
        }
    }
}
