use super::interned::same;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// How many names a process keeps; further ones are made anew each time.
const MAX_NAMES: usize = 4096;
/// The longest target of a name that is kept, in bytes.
const MAX_TARGET: usize = 512;
/// How many of them each thread finds without a lock.
const RECENT: usize = 128;

type Names = HashMap<(&'static str, &'static str), &'static Entry>;

static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

thread_local! {
    static FOUND: [Cell<Option<&'static Entry>>; RECENT] =
        const { [const { Cell::new(None) }; RECENT] };
}

/// A pair of operation and target.
#[derive(Debug)]
struct Entry {
    operation: &'static str,
    target: &'static str,
    name: &'static str,
}

impl Entry {
    fn is(&self, operation: &str, target: &str) -> bool {
        self.operation == operation && same(self.target.as_bytes(), target.as_bytes())
    }
}

/// The span name `{operation} {target}`, and the target as an attribute's value.
///
/// Targets are routes, methods, subjects: few, and the same again and again. The first 4096 pairs
/// of a process, with targets of at most 512 bytes, are made once and kept; after that finding one
/// takes no lock and allocates nothing. The others are made each time.
#[must_use]
pub fn span_name(operation: &'static str, target: &str) -> (Cow<'static, str>, StringValue) {
    match find(operation, target) {
        Some(entry) => (Cow::Borrowed(entry.name), StringValue::from(entry.target)),
        None => (
            format!("{operation} {target}").into(),
            StringValue::from(target.to_owned()),
        ),
    }
}

fn find(operation: &'static str, target: &str) -> Option<&'static Entry> {
    if target.len() > MAX_TARGET {
        return None;
    }
    let at = slot(operation, target);
    FOUND.with(|found| {
        let recent = found.get(at)?;
        if let Some(entry) = recent.get().filter(|entry| entry.is(operation, target)) {
            return Some(entry);
        }
        let entry = find_or_keep(operation, target)?;
        recent.set(Some(entry));
        Some(entry)
    })
}

fn find_or_keep(operation: &'static str, target: &str) -> Option<&'static Entry> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(&(operation, target)) {
        return Some(known);
    }
    if names.len() >= MAX_NAMES {
        return None;
    }
    let entry: &'static Entry = Box::leak(Box::new(Entry {
        operation,
        target: leak(target),
        name: leak(&format!("{operation} {target}")),
    }));
    names.insert((operation, entry.target), entry);
    Some(entry)
}

/// A text for good.
fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}

/// A cheap hash: names differ in length or near an end.
fn slot(operation: &str, target: &str) -> usize {
    let bytes = target.as_bytes();
    let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_ne_bytes(*first) ^ u64::from_ne_bytes(*last).rotate_left(29)
        }
        _ => bytes
            .iter()
            .fold(0, |all, byte| (all << 8) | u64::from(*byte)),
    };
    let lengths = (bytes.len() as u64) << 8 | operation.len() as u64;
    let mixed = (ends ^ lengths.rotate_left(47)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 57) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_both() {
        for target in ["", "a", "/v1/models/{id}", "orders.*"] {
            for _ in 0..2 {
                let (name, value) = span_name("GET", target);
                assert_eq!(name, format!("GET {target}"));
                assert_eq!(value.as_str(), target);
            }
        }
        assert_eq!(span_name("PUT", "a").0, "PUT a");
    }

    #[test]
    fn a_flood_of_names_is_not_kept() {
        // One that is too long is not kept either, before it is one too many.
        for (len, kept) in [(MAX_TARGET, true), (MAX_TARGET + 1, false)] {
            let (name, _) = span_name("long", &"x".repeat(len));
            assert_eq!(matches!(name, Cow::Borrowed(_)), kept, "{len}");
        }
        for number in 0..MAX_NAMES * 2 {
            let target = number.to_string();
            assert_eq!(span_name("flood", &target).0, format!("flood {target}"));
        }
        assert_eq!(NAMES.lock().unwrap().len(), MAX_NAMES);
    }
}
