use opentelemetry::StringValue;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// How many values are kept.
const KEPT: usize = 32;
/// The longest key that is kept, in bytes.
const MAX_LEN: usize = 256;

/// The last values that were made of bytes that others choose, for a thread.
///
/// Hosts, user agents and addresses come again and again: finding one takes no lock and allocates
/// nothing. At most 32 are kept, of keys of at most 256 bytes.
pub struct Recent<T>([Cell<Option<Kept<T>>>; KEPT]);

struct Kept<T> {
    key: Box<[u8]>,
    value: T,
}

impl<T: Clone> Recent<T> {
    /// Keeps nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { Cell::new(None) }; KEPT])
    }

    /// The value that was made of this key, or is made now.
    pub fn get_or_make(&self, key: &[u8], make: impl FnOnce() -> T) -> T {
        let Some(slot) = self.0.get(slot(key)).filter(|_| key.len() <= MAX_LEN) else {
            return make();
        };
        let kept = slot.take().filter(|kept| same(&kept.key, key));
        let kept = kept.unwrap_or_else(|| Kept {
            key: key.into(),
            value: make(),
        });
        let value = kept.value.clone();
        slot.set(Some(kept));
        value
    }
}

impl<T: Clone> Default for Recent<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

thread_local! {
    static TEXTS: Recent<Arc<str>> = const { Recent::new() };
}

/// The text as an attribute's value, shared with recent ones of this thread that were equal.
#[must_use]
pub fn recent_value(text: &str) -> StringValue {
    let make = || Arc::from(text);
    match TEXTS.try_with(|texts| texts.get_or_make(text.as_bytes(), make)) {
        Ok(shared) => StringValue::from(shared),
        // The thread is going down.
        Err(_) => StringValue::from(text.to_owned()),
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
    fn a_value_is_the_text_whatever_was_kept_before() {
        let long = "x".repeat(MAX_LEN + 1);
        for number in 0..4 * KEPT {
            let text = format!("agent/{number}");
            for text in ["", "a", "\u{e9}\u{e9}", &text, &text, &long] {
                assert_eq!(recent_value(text).as_str(), text);
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

    #[test]
    fn a_recent_value_is_made_once() {
        let recent = Recent::new();
        let made = Cell::new(0);
        let get = |key: &str| {
            recent.get_or_make(key.as_bytes(), || {
                made.set(made.get() + 1);
                key.len()
            })
        };
        assert_eq!((get("api.example.com"), get("api.example.com")), (15, 15));
        assert_eq!(made.get(), 1);
    }
}
