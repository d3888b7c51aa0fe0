//! Traces as indented text, for assertions and for people.
//!
//! One line a span: its kind, name and service, and `!` with the error type if it failed. Links
//! follow on lines of their own, then the children, two spaces deeper.
//!
//! ```text
//! SERVER POST /v1/chat/completions  frontend
//!   CLIENT generate  frontend
//!     SERVER generate  worker  !timeout
//!   PRODUCER publish work  frontend
//!
//! CONSUMER process work  indexer
//!   ~ link: PRODUCER publish work  frontend
//! ```
//!
//! Traces are separated by an empty line. A span whose parent is not there stands under a line
//! `? orphan`. Spans that are each other's ancestors stand under a line `? cycle`, cut at one of
//! them. A link to a span that is not there is `~ link: unknown span`. Beyond 64 levels the
//! indentation stays and a number tells the depth. Control characters are escaped.
//!
//! [`Tree::render`] orders siblings by start time, name and id, as it happened.
//! [`Tree::render_sorted`] is for assertions: its text depends on neither time nor ids.

mod forest;
mod order;
#[cfg(test)]
mod tests;
mod text;

use std::{collections::HashSet, fmt};

use self::{forest::Forest, text::Labels};
use crate::span::Span;

/// Spans of one or more traces, to be rendered as text.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    spans: &'a [Span],
    labels: Labels,
    durations: bool,
    external: HashSet<[u8; 8]>,
}

impl<'a> Tree<'a> {
    /// A tree of spans, in any order and of any traces.
    #[must_use]
    pub fn new(spans: &'a [Span]) -> Self {
        Self {
            spans,
            labels: Labels::default(),
            durations: false,
            external: HashSet::new(),
        }
    }

    /// Adds the duration of every span, in a column at the end. For people: assertions on times
    /// fail some day.
    #[must_use]
    pub fn durations(mut self, shown: bool) -> Self {
        self.durations = shown;
        self
    }

    /// Adds these attributes of every span that has them, in this order: `{key=value, ..}`.
    #[must_use]
    pub fn attributes(mut self, keys: &[&str]) -> Self {
        self.labels = Labels::new(keys);
        self
    }

    /// Says that a parent is outside of what is looked at (the caller's span, say): its children
    /// are roots, not orphans.
    #[must_use]
    pub fn external_parent(mut self, span_id: [u8; 8]) -> Self {
        self.external.insert(span_id);
        self
    }

    /// The text, in the order of time. Every line ends in a line feed; empty without spans.
    #[must_use]
    pub fn render(&self) -> String {
        let mut forest = self.forest();
        order::by_time(&mut forest);
        text::render(&forest, self.durations)
    }

    /// The text in an order that depends on neither time nor ids: siblings, roots and traces by
    /// kind, name and service, and where these are equal by what is below them.
    #[must_use]
    pub fn render_sorted(&self) -> String {
        let mut forest = self.forest();
        order::by_content(&mut forest);
        text::render(&forest, self.durations)
    }

    /// What the tree is made of, in numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.forest().summary()
    }

    fn forest(&self) -> Forest<'a> {
        Forest::new(self.spans, &self.labels, &self.external)
    }
}

/// [`Tree::render`].
impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

/// What a set of spans is made of, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The traces.
    pub traces: usize,
    /// All spans.
    pub spans: usize,
    /// Spans without a parent, or with an external one.
    pub roots: usize,
    /// Spans whose parent is not there.
    pub orphans: usize,
    /// Circles of spans that are each other's ancestors.
    pub cycles: usize,
}

/// Counts traces, roots, orphans and cycles.
#[must_use]
pub fn analyse(spans: &[Span]) -> Summary {
    Tree::new(spans).summary()
}
