use super::interned::{Interned, Recent};
use opentelemetry::StringValue;
use std::borrow::Cow;

/// How many names a process keeps; further ones are made anew each time.
const MAX_NAMES: usize = 4096;
/// The longest target of a name that is kept, in bytes.
const MAX_TARGET: usize = 512;

static NAMES: Interned<Name> = Interned::new(MAX_NAMES, MAX_TARGET);

thread_local! {
    static RECENT: Recent<Name> = const { Recent::new() };
}

/// A target, and the name that it is a part of.
struct Name {
    target: &'static str,
    name: String,
}

/// The span name `{operation} {target}`, and the target as an attribute's value.
///
/// Targets are routes, methods, subjects: few, and the same again and again. The first 4096 pairs
/// of a process, with targets of at most 512 bytes, are made once and kept; after that finding one
/// takes no lock and allocates nothing. The others are made each time.
#[must_use]
pub fn span_name(operation: &'static str, target: &str) -> (Cow<'static, str>, StringValue) {
    let make = |key| {
        // The key is `target`.
        let target = std::str::from_utf8(key).unwrap_or_default();
        let name = format!("{operation} {target}");
        Name { target, name }
    };
    let known = RECENT.with(|recent| NAMES.find_in(operation, recent, target.as_bytes(), make));
    match known {
        Some(known) => (known.name.as_str().into(), known.target.into()),
        None => (
            format!("{operation} {target}").into(),
            StringValue::from(target.to_owned()),
        ),
    }
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
        assert_eq!(NAMES.len(), MAX_NAMES);
    }
}
