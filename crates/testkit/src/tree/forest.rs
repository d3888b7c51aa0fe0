//! Who is below whom. Nothing here recurses: a trace may be as deep as it has spans.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Summary, order::Identity, text::Labels};
use crate::span::Span;

/// The spans as trees: every span is at the top or below exactly one other.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// The top spans of each trace.
    pub(super) traces: Vec<Vec<Top>>,
}

/// A span, its children by position, and its text.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) span: &'a Span,
    pub(super) children: Vec<usize>,
    pub(super) line: String,
    pub(super) links: Vec<String>,
}

/// A span at the top, by position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) reason: Reason,
    pub(super) at: usize,
}

/// Why a span is at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Root,
    Orphan,
    Cycle,
}

impl<'a> Forest<'a> {
    pub(super) fn new(spans: &'a [Span], labels: &Labels, external: &HashSet<[u8; 8]>) -> Self {
        let mut positions = HashMap::with_capacity(spans.len());
        for (position, span) in spans.iter().enumerate() {
            // of a span that arrived twice, the first has the children
            positions
                .entry((span.trace_id, span.span_id))
                .or_insert(position);
        }
        let find = |trace_id, span_id| positions.get(&(trace_id, span_id)).copied();
        let node = |span: &'a Span| Node {
            span,
            children: Vec::new(),
            line: labels.line(span),
            links: (span.links.iter())
                .map(|link| find(link.trace_id, link.span_id).and_then(|at| spans.get(at)))
                .map(|linked| labels.link(linked))
                .collect(),
        };
        let mut forest = Self {
            nodes: spans.iter().map(node).collect(),
            traces: Vec::new(),
        };
        let parents: Vec<_> = spans
            .iter()
            .map(|span| find(span.trace_id, span.parent_span_id?))
            .collect();
        let mut tops = Vec::new();
        for (at, (span, parent)) in spans.iter().zip(&parents).enumerate() {
            match (
                parent.and_then(|parent| forest.nodes.get_mut(parent)),
                span.parent_span_id,
            ) {
                (Some(parent), _) => parent.children.push(at),
                (None, Some(id)) if !external.contains(&id) => {
                    tops.push(Top {
                        reason: Reason::Orphan,
                        at,
                    });
                }
                (None, _) => tops.push(Top {
                    reason: Reason::Root,
                    at,
                }),
            }
        }
        forest.cut_cycles(&parents, &mut tops);
        forest.traces = forest.by_trace(tops);
        forest
    }

    /// Every span below a top one and the top itself, each before its children.
    pub(super) fn descend(&self, top: usize) -> impl Iterator<Item = (usize, usize, &Node<'a>)> {
        let mut pending = vec![(top, 0)];
        std::iter::from_fn(move || {
            let (at, depth) = pending.pop()?;
            let node = self.nodes.get(at)?;
            pending.extend(node.children.iter().rev().map(|child| (*child, depth + 1)));
            Some((at, depth, node))
        })
    }

    pub(super) fn tops(&self) -> impl Iterator<Item = &Top> {
        self.traces.iter().flatten()
    }

    pub(super) fn summary(&self) -> Summary {
        let count = |reason| self.tops().filter(|top| top.reason == reason).count();
        Summary {
            traces: self.traces.len(),
            spans: self.nodes.len(),
            roots: count(Reason::Root),
            orphans: count(Reason::Orphan),
            cycles: count(Reason::Cycle),
        }
    }

    /// What is not below a top hangs on a cycle: one of the cycle's spans becomes a top.
    fn cut_cycles(&mut self, parents: &[Option<usize>], tops: &mut Vec<Top>) {
        let mut reached: HashSet<usize> = tops
            .iter()
            .flat_map(|top| self.descend(top.at).map(|(at, ..)| at))
            .collect();
        for start in 0..self.nodes.len() {
            if reached.contains(&start) {
                continue;
            }
            let cycle = cycle_above(start, parents);
            let identity = |at: &usize| self.nodes.get(*at).map(|node| Identity::of(node.span));
            let Some(cut) = cycle.into_iter().min_by_key(identity) else {
                continue;
            };
            let parent = parents.get(cut).copied().flatten();
            if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.children.retain(|child| *child != cut);
            }
            tops.push(Top {
                reason: Reason::Cycle,
                at: cut,
            });
            reached.extend(self.descend(cut).map(|(at, ..)| at));
        }
    }

    fn by_trace(&self, tops: Vec<Top>) -> Vec<Vec<Top>> {
        let mut traces: BTreeMap<_, Vec<Top>> = BTreeMap::new();
        for top in tops {
            let trace_id = self.nodes.get(top.at).map(|node| node.span.trace_id);
            traces.entry(trace_id).or_default().push(top);
        }
        traces.into_values().collect()
    }
}

/// The cycle that one comes to by going up from `start`; empty if there is none.
fn cycle_above(start: usize, parents: &[Option<usize>]) -> Vec<usize> {
    let above = |at: &usize| parents.get(*at).copied().flatten();
    let mut passed = HashSet::new();
    let entry = std::iter::successors(Some(start), above).find(|at| !passed.insert(*at));
    let Some(entry) = entry else {
        return Vec::new();
    };
    let rest = std::iter::successors(above(&entry), above).take_while(|at| *at != entry);
    std::iter::once(entry).chain(rest).collect()
}
