//! The order of siblings, of the tops of a trace, and of traces.

use super::forest::{Forest, Node, Reason};
use crate::span::Span;

/// What a span is, apart from its trace: for an order that is the same in every run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity<'a> {
    kind: &'static str,
    name: &'a str,
    service: &'a str,
}

impl<'a> Identity<'a> {
    pub(super) fn of(span: &'a Span) -> Self {
        Self {
            kind: span.kind.as_str(),
            name: &span.name,
            service: span.service(),
        }
    }
}

/// By start time, then name, then id; traces by their first start.
pub(super) fn by_time(forest: &mut Forest<'_>) {
    let spans: Vec<&Span> = forest.nodes.iter().map(|node| node.span).collect();
    let moment = |at: usize| {
        let span = spans.get(at)?;
        Some((span.start_unix_nanos, span.name.as_str(), span.span_id))
    };
    for node in &mut forest.nodes {
        node.children.sort_by_key(|child| moment(*child));
    }
    for trace in &mut forest.traces {
        trace.sort_by_key(|top| (top.reason, moment(top.at)));
    }
    let start = |at: usize| {
        spans
            .get(at)
            .map(|span| (span.start_unix_nanos, span.trace_id))
    };
    forest
        .traces
        .sort_by_key(|trace| trace.iter().map(|top| start(top.at)).min());
}

/// By kind, name and service, then by the subtree.
pub(super) fn by_content(forest: &mut Forest<'_>) {
    for node in &mut forest.nodes {
        node.links.sort_unstable();
    }
    let mut ranks = vec![0; forest.nodes.len()];
    let spans: Vec<&Span> = forest.nodes.iter().map(|node| node.span).collect();
    let content = |at: usize, ranks: &[usize]| {
        let identity = spans.get(at).map(|span| Identity::of(span));
        (identity, ranks.get(at).copied())
    };
    let mut next_rank = 0;
    for level in levels(forest) {
        for at in &level {
            if let Some(node) = forest.nodes.get_mut(*at) {
                node.children
                    .sort_by_cached_key(|child| content(*child, &ranks));
            }
        }
        for equals in equal_subtrees(forest, level, &ranks) {
            for at in equals {
                if let Some(rank) = ranks.get_mut(at) {
                    *rank = next_rank;
                }
            }
            next_rank += 1;
        }
    }
    let sort_key = |reason: Reason, at: usize| (reason, content(at, &ranks));
    for trace in &mut forest.traces {
        trace.sort_by_cached_key(|top| sort_key(top.reason, top.at));
    }
    forest.traces.sort_by_cached_key(|trace| {
        let keys = trace.iter().map(|top| sort_key(top.reason, top.at));
        keys.collect::<Vec<_>>()
    });
}

/// Positions by height: leaves first, so that children always come before their parents.
fn levels(forest: &Forest<'_>) -> Vec<Vec<usize>> {
    let mut downwards = Vec::with_capacity(forest.nodes.len());
    for top in forest.tops() {
        downwards.extend(forest.descend(top.at).map(|(at, ..)| at));
    }
    let mut heights = vec![0_usize; forest.nodes.len()];
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for at in downwards.into_iter().rev() {
        let children = forest.nodes.get(at).map(|node| node.children.as_slice());
        let below = children.unwrap_or_default().iter();
        let height = below.filter_map(|child| heights.get(*child)).max();
        let height = height.map_or(0, |highest| highest + 1);
        if let Some(own) = heights.get_mut(at) {
            *own = height;
        }
        // a height is one more than a smaller one that was seen before
        if levels.len() == height {
            levels.push(Vec::new());
        }
        if let Some(level) = levels.get_mut(height) {
            level.push(at);
        }
    }
    levels
}

/// The positions of one level in groups of the same text and the same subtrees, in an order
/// given by these alone. The children are sorted and ranked already.
fn equal_subtrees(forest: &Forest<'_>, level: Vec<usize>, ranks: &[usize]) -> Vec<Vec<usize>> {
    let key = |node: &Node<'_>| {
        let below = node
            .children
            .iter()
            .filter_map(|child| ranks.get(*child).copied());
        (
            node.line.clone(),
            node.links.clone(),
            below.collect::<Vec<_>>(),
        )
    };
    let keyed = level
        .into_iter()
        .map(|at| (forest.nodes.get(at).map(key), at));
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_unstable();
    let equals = keyed.chunk_by(|(one, _), (other, _)| one == other);
    equals
        .map(|group| group.iter().map(|(_, at)| *at).collect())
        .collect()
}
