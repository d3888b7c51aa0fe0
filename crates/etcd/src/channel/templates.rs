//! Which template a key matches.

use std::sync::Arc;

/// Templates of keys that the user registered.
#[derive(Clone, Debug)]
pub(crate) struct Templates(Arc<[Arc<str>]>);

/// The template that the key of a request matches; in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Arc<str>);

impl Templates {
    /// `None` where there are none.
    pub(crate) fn new(templates: impl Iterator<Item = String>) -> Option<Self> {
        let templates: Arc<[_]> = templates.map(Arc::from).collect();
        (!templates.is_empty()).then_some(Self(templates))
    }

    /// The first template that `key` matches.
    pub(super) fn of(&self, key: &[u8]) -> Option<Template> {
        let mut templates = self.0.iter();
        let found = templates.find(|template| matches(template.as_bytes(), key))?;
        Some(Template(Arc::clone(found)))
    }

    /// The template that all of these keys have, if there are any.
    pub(super) fn of_all<'k>(&self, mut keys: impl Iterator<Item = &'k [u8]>) -> Option<Template> {
        let first = self.of(keys.next()?)?;
        keys.all(|key| self.of(key).as_ref() == Some(&first))
            .then_some(first)
    }
}

/// Whether `key` is one of `template`'s: `*` is any text without a `/`, at the end any text.
/// Takes as long as one is long times the other, however many wildcards there are.
fn matches(template: &[u8], key: &[u8]) -> bool {
    let (mut template, mut key) = (template, key);
    // Behind the last wildcard, and what it has not yet taken.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (template, key) {
            ([b'*'], _) | ([], []) => return true,
            ([b'*', rest @ ..], _) => {
                template = rest;
                retry = Some((rest, key));
                continue;
            }
            ([a, rest @ ..], [b, left @ ..]) if a == b => {
                (template, key) = (rest, left);
                continue;
            }
            _ => {}
        }
        // The wildcard takes one more.
        let Some((behind, [taken, left @ ..])) = retry else {
            return false;
        };
        if *taken == b'/' {
            return false;
        }
        retry = Some((behind, left));
        (template, key) = (behind, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wildcard_is_a_segment_and_at_the_end_the_rest() {
        for (template, key, expected) in [
            ("instances/*", "instances/7", true),
            ("instances/*", "instances/a/b", true),
            ("instances/*", "instances/", true),
            ("instances/*", "instances", false),
            ("instances/*", "other/7", false),
            ("config/*/model", "config/a/model", true),
            ("config/*/model", "config//model", true),
            ("config/*/model", "config/a/b/model", false),
            ("config/*/model", "config/a/models", false),
            ("config/*/*", "config/a/b/c", true),
            ("*/a*c/x", "k/abcabc/x", true),
            ("*/a*c/x", "k/abcab/x", false),
            ("lock", "lock", true),
            ("lock", "locks", false),
            ("*", "", true),
            ("", "", true),
            ("", "k", false),
        ] {
            let matched = matches(template.as_bytes(), key.as_bytes());
            assert_eq!(matched, expected, "{template} {key}");
        }
        assert!(matches(b"k/*", b"k/\xff\0"));
    }

    #[test]
    fn many_wildcards_do_not_multiply() {
        let template = format!("{}b", "*a".repeat(40));
        assert!(!matches(template.as_bytes(), &[b'a'; 80]));
    }

    #[test]
    fn the_first_that_matches_is_it_and_all_keys_must_agree() {
        let templates = ["a/b/*", "a/*", "*"].map(str::to_owned).into_iter();
        let templates = Templates::new(templates).unwrap();
        let of = |key: &str| templates.of(key.as_bytes()).unwrap().0;
        assert_eq!(
            [&*of("a/b/1"), &*of("a/1"), &*of("1")],
            ["a/b/*", "a/*", "*"]
        );
        let of_all = |keys: &[&'static str]| {
            let keys = keys.iter().map(|key| key.as_bytes());
            Some(templates.of_all(keys)?.0.to_string())
        };
        assert_eq!(of_all(&["a/1", "a/2"]).as_deref(), Some("a/*"));
        assert_eq!(of_all(&["a/1", "a/b/2"]), None);
        assert_eq!(of_all(&[]), None);
        assert!(Templates::new(std::iter::empty()).is_none());
    }

    proptest! {
        #[test]
        fn it_matches_as_the_plain_rule_says(template in "[ab/*]{0,8}", key in "[ab/]{0,8}") {
            prop_assert_eq!(
                matches(template.as_bytes(), key.as_bytes()),
                by_rule(template.as_bytes(), key.as_bytes())
            );
        }
    }

    /// The rule as it is written, by trying everything.
    fn by_rule(template: &[u8], key: &[u8]) -> bool {
        match template {
            [] => key.is_empty(),
            [b'*'] => true,
            [b'*', rest @ ..] => {
                let segment = key.iter().take_while(|byte| **byte != b'/').count();
                (0..=segment).any(|taken| by_rule(rest, &key[taken..]))
            }
            [first, rest @ ..] => key.first() == Some(first) && by_rule(rest, &key[1..]),
        }
    }
}
