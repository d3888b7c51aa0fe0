//! Subjects as spans name them: templates that the user registered, inboxes left out.

use std::sync::Arc;

/// What the name of a subject of one's own inboxes begins with, and the registered templates.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    inbox: Arc<str>,
    templates: Arc<[Box<str>]>,
}

/// A subject as a span may name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination<'s> {
    /// The subject, unless it is an inbox: that has a random name, which says nothing.
    pub(crate) name: Option<&'s str>,
    /// The template that it matches.
    pub(crate) template: Option<&'s str>,
}

impl Subjects {
    /// `inbox` is one of the client's.
    pub(crate) fn new(inbox: &str) -> Self {
        let prefix = inbox
            .rsplit_once('.')
            .map_or("_INBOX", |(prefix, _)| prefix);
        Self {
            inbox: format!("{prefix}.").into(),
            templates: Arc::default(),
        }
    }

    pub(crate) fn with_templates(self, templates: impl Iterator<Item = Box<str>>) -> Self {
        Self {
            templates: templates.collect(),
            ..self
        }
    }

    /// How a span names `subject`.
    pub(crate) fn destination<'s>(&'s self, subject: &'s str) -> Destination<'s> {
        let name = (!self.is_temporary(subject)).then_some(subject);
        let template = name.and_then(|name| self.template_of(name));
        match name.and_then(store_of) {
            Some(store) => Destination {
                name: Some(store),
                template,
            },
            None => Destination { name, template },
        }
    }

    /// The first registered template that `subject` matches.
    pub(crate) fn template_of(&self, subject: &str) -> Option<&str> {
        let mut templates = self.templates.iter();
        let found = templates.find(|template| matches(template, subject))?;
        Some(found)
    }

    /// Whether it is for replies alone: an inbox, of this client or by the usual prefixes of
    /// others, what a service import of the server's has for one, or an acknowledgement's.
    fn is_temporary(&self, subject: &str) -> bool {
        const USUAL: [&str; 4] = ["_INBOX", "_R_.", "_GR_.", "$JS.ACK."];
        subject.starts_with(&*self.inbox) || USUAL.iter().any(|usual| subject.starts_with(usual))
    }
}

/// The bucket's part of a subject of a key-value bucket or an object store: what follows is a key
/// or a random name.
fn store_of(subject: &str) -> Option<&str> {
    let rest = (subject.strip_prefix("$KV.")).or_else(|| subject.strip_prefix("$O."))?;
    let (bucket, _) = rest.split_once('.')?;
    let end = subject.len() - rest.len() + bucket.len();
    subject.get(..end)
}

impl<'s> Destination<'s> {
    /// What stands in the span's name.
    pub(crate) fn in_span_name(&self) -> Option<&'s str> {
        self.template.or(self.name)
    }
}

/// Whether `subject` has a wildcard.
pub(crate) fn is_pattern(subject: &str) -> bool {
    subject.split('.').any(|token| matches!(token, "*" | ">"))
}

/// Whether `subject` is one of `pattern`'s: `*` is any one token, `>` at the end one or more.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for expected in pattern.split('.') {
        match (expected, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (expected, Some(token)) if expected == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_the_server_does() {
        for (pattern, subject, expected) in [
            ("orders", "orders", true),
            ("orders", "orders.1", false),
            ("orders.*", "orders.1", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.1.paid", false),
            ("orders.*.paid", "orders.1.paid", true),
            ("orders.>", "orders.1.paid", true),
            ("orders.>", "orders", false),
            (">", "orders.1", true),
            ("*", "orders", true),
            ("", "orders", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn the_first_template_that_matches_is_it() {
        let templates = ["orders.*", "orders.>", "_INBOX.>"].map(Box::from);
        let subjects = Subjects::new("_box.me.1").with_templates(templates.into_iter());
        let of = |subject| {
            let found = subjects.destination(subject);
            (found.name, found.template)
        };
        assert_eq!(of("orders.1"), (Some("orders.1"), Some("orders.*")));
        assert_eq!(of("orders.1.x"), (Some("orders.1.x"), Some("orders.>")));
        assert_eq!(of("work"), (Some("work"), None));
        let temporary = [
            "_INBOX.1.2",
            "_INBOX_me.1",
            "_R_.x",
            "_GR_.x",
            "$JS.ACK.a.b",
        ];
        for subject in temporary {
            assert_eq!(of(subject), (None, None), "{subject}");
        }
        assert_eq!(of("$KV.sessions.user-1"), (Some("$KV.sessions"), None));
        assert_eq!(of("$O.files.M.x"), (Some("$O.files"), None));
        assert_eq!(of("$KV.sessions"), (Some("$KV.sessions"), None));
        assert_eq!(of("_box.me.2"), (None, None));
        assert_eq!(
            subjects.destination("orders.1").in_span_name(),
            Some("orders.*")
        );
    }
}
