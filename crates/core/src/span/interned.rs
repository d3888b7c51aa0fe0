use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many values each thread finds without a lock.
const RECENT: usize = 128;

/// Values made of bytes that come again and again, such as routes, or hosts and user agents that
/// others choose: the first of them are made once and kept as long as the process lives.
///
/// At most as many as said are kept, of keys of at most as many bytes as said. Finding one takes
/// no lock where the thread found it before, and none at all once so many are kept; it allocates
/// nothing.
pub struct Interned<T: 'static> {
    /// While there is room.
    growing: Mutex<Option<Table<T>>>,
    /// Afterwards: who sends ever new texts must not make others wait for each other.
    full: OnceLock<Table<T>>,
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
            growing: Mutex::new(None),
            full: OnceLock::new(),
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
        if let Some(full) = self.full.get() {
            return full.get(&(family, key)).copied();
        }
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made the last one meanwhile.
        if let Some(full) = self.full.get() {
            return full.get(&(family, key)).copied();
        }
        let all = growing.get_or_insert_default();
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
        if all.len() >= self.most {
            // Set by nobody else: that takes the lock.
            let _ = self.full.set(std::mem::take(all));
        }
        Some(entry)
    }
}

#[cfg(test)]
impl<T> Interned<T> {
    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        if let Some(full) = self.full.get() {
            return full.len();
        }
        let growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        growing.as_ref().map_or(0, HashMap::len)
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
    use std::sync::{Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

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
    fn a_full_table_is_read_without_the_lock() {
        static ALL: Interned<usize> = Interned::new(3, 8);
        let find = |key: &str| {
            ALL.find(&Recent::new(), key.as_bytes(), <[u8]>::len)
                .copied()
        };
        for key in ["a", "bb", "ccc"] {
            assert!(ALL.full.get().is_none(), "{key}");
            assert_eq!(find(key), Some(key.len()));
        }
        let _held = ALL.growing.lock().unwrap();
        let (done, found) = mpsc::channel();
        thread::spawn(move || {
            let found = ["a", "bb", "ccc", "dddd", "a"].map(find);
            done.send(found).unwrap();
        });
        let found = found.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(found, [Some(1), Some(2), Some(3), None, Some(1)]);
        assert_eq!(ALL.len(), 3);
    }

    #[test]
    fn threads_that_fill_the_table_agree() {
        const MOST: usize = 500;
        static ALL: Interned<usize> = Interned::new(MOST, 8);
        let start = Barrier::new(4);
        let fill = || {
            start.wait();
            let find = |number: usize| {
                let make = |_: &'static [u8]| number;
                ALL.find(&Recent::new(), &number.to_ne_bytes(), make)
            };
            (0..MOST * 2).map(find).collect::<Vec<_>>()
        };
        let found = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(fill));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(ALL.len(), MOST);
        for number in 0..MOST * 2 {
            let values = found.each_ref().map(|found| found[number]);
            let known = ALL.find(&Recent::new(), &number.to_ne_bytes(), |_| 0);
            for value in values.into_iter().flatten() {
                assert!(known.is_some_and(|known| std::ptr::eq(known, value)));
                assert_eq!(*value, number);
            }
        }
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
