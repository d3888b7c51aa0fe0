//! What was measured, as Markdown.

use std::fmt;

use crate::contender::Suite;

/// What a call, or a chunk, costs in a bare service; or what a layer adds to that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// The median of the rounds.
    nanoseconds: f64,
    /// Half of the rounds' interquartile range.
    spread: f64,
    allocations: f64,
}

impl Cost {
    pub(crate) fn new(mut nanoseconds: Vec<f64>, allocations: f64) -> Self {
        nanoseconds.sort_by(f64::total_cmp);
        let quartile = |number| {
            let value = nanoseconds.get(nanoseconds.len() * number / 4);
            value.copied().unwrap_or(f64::NAN)
        };
        Self {
            nanoseconds: quartile(2),
            spread: (quartile(3) - quartile(1)) / 2.0,
            allocations,
        }
    }

    fn per_chunk(self, unary: Self, chunks: usize) -> Self {
        let chunks = chunks as f64;
        Self {
            nanoseconds: (self.nanoseconds - unary.nanoseconds) / chunks,
            spread: self.spread / chunks,
            allocations: (self.allocations - unary.allocations) / chunks,
        }
    }
}

/// A column for each mode, in each a cost for each contender.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) suite: &'static Suite,
    pub(crate) columns: Vec<Vec<Cost>>,
}

impl Table {
    /// What a chunk costs in these streams, if a response of one chunk costs this.
    pub(crate) fn per_chunk(mut self, unary: &Self, chunks: usize) -> Self {
        let streams = self.columns.iter_mut().flatten();
        for (stream, unary) in streams.zip(unary.columns.iter().flatten()) {
            *stream = stream.per_chunk(*unary, chunks - 1);
        }
        self
    }

    /// One more row: what ours adds, beside the least that another adds.
    pub(crate) fn ratio(&self) -> String {
        let mut row = "| **dynamo-trace / cheapest peer** |".to_owned();
        for column in &self.columns {
            let [_, ours, peers @ ..] = column.as_slice() else {
                continue;
            };
            let cheapest = |part: fn(&Cost) -> f64| peers.iter().map(part).fold(f64::MAX, f64::min);
            let nanoseconds = ours.nanoseconds / cheapest(|cost| cost.nanoseconds);
            let fewest = cheapest(|cost| cost.allocations);
            let allocations = ours.allocations;
            row += &format!(" **{nanoseconds:.2}×, {allocations:.0} for {fewest:.0}** |");
        }
        row
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Suite { name, decimals, .. } = *self.suite;
        writeln!(f, "| {name} | nothing installed | unsampled | sampled |")?;
        write!(f, "|---|--:|--:|--:|")?;
        for (number, contender) in self.suite.contenders.iter().enumerate() {
            write!(f, "\n| {} |", contender.name)?;
            for cost in self.columns.iter().filter_map(|column| column.get(number)) {
                let numbers = [cost.nanoseconds, cost.spread, cost.allocations];
                let [nanoseconds, spread, allocations] = numbers.map(|it| round(it, decimals));
                if number == 0 {
                    write!(f, " {nanoseconds:.decimals$}")?;
                } else {
                    write!(f, " {nanoseconds:+.decimals$}")?;
                }
                write!(f, " ±{spread:.decimals$}, {allocations:.decimals$} |")?;
            }
        }
        Ok(())
    }
}

fn round(value: f64, decimals: usize) -> f64 {
    let unit = if decimals == 0 { 1.0 } else { 10.0 };
    // Adding makes 0 of -0.
    (value * unit).round() / unit + 0.0
}
