use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How many values each thread finds without a lock.
const RECENT: usize = 32;

/// Values made of bytes that others choose: hosts, user agents, methods. The same come again and
/// again, so the first of them are made once and kept as long as the process lives.
///
/// At most as many as said are kept, of keys of at most [`MAX_KEY`](Self::MAX_KEY) bytes. Finding
/// one takes no lock where the thread found it before, and allocates nothing.
pub struct Interned<T: 'static> {
    all: Mutex<Option<Table<T>>>,
    most: usize,
}

type Table<T> = HashMap<&'static [u8], &'static Entry<T>>;

struct Entry<T> {
    key: &'static [u8],
    value: T,
}

/// What a thread found before, for a `thread_local!`.
pub struct Recent<T: 'static>([Cell<Option<&'static Entry<T>>>; RECENT]);

impl<T> Interned<T> {
    /// The longest key that is kept, in bytes.
    pub const MAX_KEY: usize = 256;

    /// Keeps nothing yet, and `most` values at most.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            all: Mutex::new(None),
            most,
        }
    }

    /// The value that was made of this key, or is made now; none of one too many.
    pub fn find(
        &self,
        recent: &Recent<T>,
        key: &[u8],
        make: impl FnOnce(&'static [u8]) -> T,
    ) -> Option<&'static T> {
        let slot = recent.0.get(slot(key))?;
        if let Some(entry) = slot.get().filter(|entry| same(entry.key, key)) {
            return Some(&entry.value);
        }
        let entry = self.find_or_keep(key, make)?;
        slot.set(Some(entry));
        Some(&entry.value)
    }

    fn find_or_keep(
        &self,
        key: &[u8],
        make: impl FnOnce(&'static [u8]) -> T,
    ) -> Option<&'static Entry<T>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        if let Some(known) = all.get(key) {
            return Some(known);
        }
        if all.len() >= self.most || key.len() > Self::MAX_KEY {
            return None;
        }
        let key: &'static [u8] = Box::leak(key.into());
        let entry: &'static Entry<T> = Box::leak(Box::new(Entry {
            key,
            value: make(key),
        }));
        all.insert(key, entry);
        Some(entry)
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
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
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

/// A cheap hash of the length and both ends.
fn slot(bytes: &[u8]) -> usize {
    let end = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_ne_bytes(*chunk));
    let (first, last) = (end(bytes.first_chunk()), end(bytes.last_chunk()));
    let mixed = first ^ last.rotate_left(29) ^ (bytes.len() as u64).rotate_left(47);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_a_flood_is_not_kept() {
        static ALL: Interned<usize> = Interned::new(100);
        let recent = Recent::new();
        let made = Cell::new(0);
        let find = |key: &str| {
            ALL.find(&recent, key.as_bytes(), |key| {
                made.set(made.get() + 1);
                key.len()
            })
        };
        assert_eq!(find(&"x".repeat(Interned::<usize>::MAX_KEY + 1)), None);
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
