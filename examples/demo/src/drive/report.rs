use super::check::{CROSSINGS, Check, check};
use dynamo_trace_testkit::{Receiver, Span};
use serde::Serialize;
use std::fmt;

/// The outcome of all requests.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    requests: usize,
    complete: usize,
    spans: usize,
    orphans: usize,
    crossings: Vec<&'static str>,
    #[serde(skip)]
    pub(super) problems: Vec<String>,
    #[serde(skip)]
    pub(super) example: Vec<Span>,
}

impl Report {
    /// Counts again what has arrived by now: a span that came late must not be missed.
    pub(super) fn new(checks: Vec<Check>, receiver: &Receiver) -> Self {
        let traces: Vec<_> = checks
            .iter()
            .filter_map(|check| Some(receiver.trace(check.spans.first()?.trace_id)))
            .collect();
        let checked: Vec<_> = traces.iter().map(|spans| check(spans)).collect();
        let everywhere =
            |name: &&str| !checked.is_empty() && checked.iter().all(|c| c.crossings.contains(name));
        Self {
            requests: checks.len(),
            complete: checks.iter().filter(|check| check.complete).count(),
            spans: traces.iter().map(Vec::len).sum(),
            orphans: checked.iter().map(|checked| checked.orphans).sum(),
            crossings: CROSSINGS.into_iter().filter(everywhere).collect(),
            problems: checks
                .into_iter()
                .filter_map(|check| check.problem)
                .collect(),
            example: traces.into_iter().next().unwrap_or_default(),
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.complete == self.requests && self.orphans == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} requests complete: {} spans, {} orphans, across {}",
            self.complete,
            self.requests,
            self.spans,
            self.orphans,
            self.crossings.join(", ")
        )
    }
}
