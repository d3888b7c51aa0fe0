use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How many values each thread finds without a lock.
const RECENT: usize = 128;

/// Values made of bytes that come again and again, such as routes, or hosts and user agents that
/// others choose: the first of them are made once and kept as long as the process lives.
///
/// At most as many as said are kept, of keys of at most as many bytes as said. Finding one takes
/// no lock where the thread found it before, and allocates nothing.
pub struct Interned<T: 'static> {
    all: Mutex<Option<Table<T>>>,
    most: usize,
    max_key: usize,
}

type Table<T> = HashMap<(&'static str, &'static [u8]), &'static Entry<T>>;

struct Entry<T> {
    family: &'static str,
    key: &'static [u8],
    value: T,
}

/// What a thread found before, for a `thread_local!`.
pub struct Recent<T: 'static>([Cell<Option<&'static Entry<T>>>; RECENT]);

impl<T> Interned<T> {
    /// Keeps nothing yet, and `most` values at most, of keys of at most `max_key` bytes.
    #[must_use]
    pub const fn new(most: usize, max_key: usize) -> Self {
        Self {
            all: Mutex::new(None),
            most,
            max_key,
        }
    }

    /// The value that was made of this key, or is made now; none of one too many.
    pub fn find(
        &self,
        recent: &Recent<T>,
        key: &[u8],
        make: impl FnOnce(&'static [u8]) -> T,
    ) -> Option<&'static T> {
        self.find_in("", recent, key, make)
    }

    /// As [`find`](Self::find), of keys that are told apart by their family as well.
    pub(super) fn find_in(
        &self,
        family: &'static str,
        recent: &Recent<T>,
        key: &[u8],
        make: impl FnOnce(&'static [u8]) -> T,
    ) -> Option<&'static T> {
        if key.len() > self.max_key {
            return None;
        }
        let slot = recent.0.get(slot(family, key))?;
        if let Some(entry) = slot.get().filter(|entry| entry.is(family, key)) {
            return Some(&entry.value);
        }
        let entry = self.find_or_keep(family, key, make)?;
        slot.set(Some(entry));
        Some(&entry.value)
    }

    fn find_or_keep(
        &self,
        family: &'static str,
        key: &[u8],
        make: impl FnOnce(&'static [u8]) -> T,
    ) -> Option<&'static Entry<T>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        if let Some(known) = all.get(&(family, key)) {
            return Some(known);
        }
        if all.len() >= self.most {
            return None;
        }
        let key: &'static [u8] = Box::leak(key.into());
        let entry: &'static Entry<T> = Box::leak(Box::new(Entry {
            family,
            key,
            value: make(key),
        }));
        all.insert((family, key), entry);
        Some(entry)
    }
}

#[cfg(test)]
impl<T> Interned<T> {
    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.as_ref().map_or(0, HashMap::len)
    }
}

impl<T> Entry<T> {
    fn is(&self, family: &str, key: &[u8]) -> bool {
        self.family == family && same(self.key, key)
    }
}

impl<T> Recent<T> {
    /// Found nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { Cell::new(None) }; RECENT])
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Interned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interned").finish_non_exhaustive()
    }
}

/// Whether both are the same, by whole words where there is one: short texts are compared in
/// line.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((words_a, rest_a), (words_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut words = words_a.iter().zip(words_b);
    if !words.all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b)) {
        return false;
    }
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a), Some(b)) => u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b),
        _ => rest_a.iter().zip(rest_b).all(|(a, b)| a == b),
    }
}

/// A cheap hash: keys differ in length or near an end.
fn slot(family: &str, key: &[u8]) -> usize {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_ne_bytes(*first) ^ u64::from_ne_bytes(*last).rotate_left(29)
        }
        _ => key
            .iter()
            .fold(0, |all, byte| (all << 8) | u64::from(*byte)),
    };
    let lengths = (key.len() as u64) << 8 | family.len() as u64;
    let mixed = (ends ^ lengths.rotate_left(47)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 57) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_a_flood_is_not_kept() {
        const MAX_KEY: usize = 256;
        static ALL: Interned<usize> = Interned::new(100, MAX_KEY);
        let recent = Recent::new();
        let made = Cell::new(0);
        let find = |key: &str| {
            ALL.find(&recent, key.as_bytes(), |key| {
                made.set(made.get() + 1);
                key.len()
            })
        };
        assert_eq!(find(&"x".repeat(MAX_KEY + 1)), None);
        for _ in 0..3 {
            assert_eq!(find(""), Some(&0));
            for number in 0..200 {
                let key = format!("agent/{number:03}");
                assert_eq!(find(&key), (number < 99).then_some(&9), "{key}");
            }
        }
        assert_eq!(made.get(), 100);
    }

    #[test]
    fn texts_are_the_same_in_every_byte() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..text.len() {
            let text = &text[..len];
            assert!(same(text, text));
            assert!(!same(text, &[text, &[0]].concat()));
            for at in 0..len {
                let mut other = text.to_vec();
                other[at] ^= 0x80;
                assert!(!same(text, &other), "{at} of {len}");
            }
        }
    }
}
