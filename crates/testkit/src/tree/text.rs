//! Lines.

use std::{fmt::Write, time::Duration};

use super::forest::{Forest, Node, Reason};
use crate::{
    span::Span,
    value::{Attributes, Value},
};

/// Deeper levels are not indented further: a chain of n spans would take n * n characters.
const MAX_INDENT: usize = 64;
/// Longer lines do not push the column of durations to the right.
const MAX_COLUMN: usize = 120;

/// What the line of a span says.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    attributes: Vec<String>,
}

impl Labels {
    pub(super) fn new(attributes: &[&str]) -> Self {
        Self {
            attributes: attributes.iter().map(|&key| key.to_owned()).collect(),
        }
    }

    /// `SERVER name  service  !error  {key=value}`.
    pub(super) fn line(&self, span: &Span) -> String {
        let mut line = identity(span);
        if span.is_error() {
            let error = span.attribute("error.type").and_then(Value::as_str);
            line.push_str("  !");
            escape(error.unwrap_or("ERROR"), &mut line);
        }
        let present = |key: &String| Some((key.clone(), span.attribute(key)?.clone()));
        let shown: Attributes = self.attributes.iter().filter_map(present).collect();
        if !shown.is_empty() {
            line.push_str("  ");
            escape(&shown.to_string(), &mut line);
        }
        line
    }

    /// `~ link: PRODUCER name  service`.
    pub(super) fn link(&self, linked: Option<&Span>) -> String {
        let linked = linked.map_or_else(|| "unknown span".to_owned(), identity);
        format!("~ link: {linked}")
    }
}

fn identity(span: &Span) -> String {
    let mut line = format!("{} ", span.kind);
    escape(&span.name, &mut line);
    if !span.service().is_empty() {
        line.push_str("  ");
        escape(span.service(), &mut line);
    }
    line
}

/// A name may hold anything; a line must stay one line, and a terminal unharmed.
fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}

/// The lines of a forest in its order.
pub(super) fn render(forest: &Forest<'_>, durations: bool) -> String {
    let mut lines = Vec::with_capacity(forest.nodes.len());
    for (position, trace) in forest.traces.iter().enumerate() {
        if position > 0 {
            lines.push(Line::default());
        }
        for top in trace {
            let marker = match top.reason {
                Reason::Root => None,
                Reason::Orphan => Some("? orphan"),
                Reason::Cycle => Some("? cycle"),
            };
            lines.extend(marker.map(|marker| Line::plain(marker.to_owned())));
            let base = usize::from(marker.is_some());
            for (_, depth, node) in forest.descend(top.at) {
                push(node, base + depth, &mut lines);
            }
        }
    }
    if durations {
        with_durations(&lines)
    } else {
        lines
            .iter()
            .fold(String::new(), |text, line| text + &line.text + "\n")
    }
}

#[derive(Debug, Default)]
struct Line {
    text: String,
    duration: Option<Duration>,
}

impl Line {
    fn plain(text: String) -> Self {
        Self {
            text,
            duration: None,
        }
    }
}

fn push(node: &Node<'_>, depth: usize, lines: &mut Vec<Line>) {
    lines.push(Line {
        text: indent(depth) + &node.line,
        duration: Some(node.span.duration()),
    });
    let links = node.links.iter();
    lines.extend(links.map(|link| Line::plain(indent(depth + 1) + link)));
}

fn indent(depth: usize) -> String {
    let mut indent = "  ".repeat(depth.min(MAX_INDENT));
    if depth > MAX_INDENT {
        indent.push_str(&format!("({depth}) "));
    }
    indent
}

/// Durations in a column of their own, aligned to the right.
fn with_durations(lines: &[Line]) -> String {
    let width = |text: &str| text.chars().count();
    let rows: Vec<_> = lines
        .iter()
        .map(|line| (line.text.as_str(), line.duration.map(short)))
        .collect();
    let column = rows
        .iter()
        .map(|(text, _)| width(text))
        .filter(|width| *width <= MAX_COLUMN);
    let column = column.max().unwrap_or_default();
    let digits = rows
        .iter()
        .flat_map(|(_, duration)| duration)
        .map(|text| width(text));
    let digits = digits.max().unwrap_or_default();
    let mut rendered = String::new();
    for (text, duration) in rows {
        // writing to a string cannot fail
        let _ = match duration {
            Some(duration) => writeln!(rendered, "{text:column$}  {duration:>digits$}"),
            None => writeln!(rendered, "{text}"),
        };
    }
    rendered
}

/// `850ns`, `12.3µs`, `12.3ms`, `12.30s`.
fn short(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_nanos() {
        nanos @ ..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{:.1}µs", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1}ms", seconds * 1e3),
        _ => format!("{seconds:.2}s"),
    }
}
