use std::sync::atomic::{AtomicU64, Ordering};

static TRACEPARENT: AtomicU64 = AtomicU64::new(0);
static TRACESTATE: AtomicU64 = AtomicU64::new(0);
static OVER_BUDGET: AtomicU64 = AtomicU64::new(0);

/// How much received context this process has refused since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// Carriers with an invalid `traceparent`, or with several: each began a new trace.
    pub traceparent: u64,
    /// Carriers whose `tracestate` was invalid and was dropped.
    pub tracestate: u64,
    /// Fields that were dropped because they exceeded the byte budget.
    pub over_budget: u64,
}

impl Rejected {
    /// The counts of now.
    #[must_use]
    pub fn so_far() -> Self {
        Self {
            traceparent: TRACEPARENT.load(Ordering::Relaxed),
            tracestate: TRACESTATE.load(Ordering::Relaxed),
            over_budget: OVER_BUDGET.load(Ordering::Relaxed),
        }
    }
}

pub(super) fn traceparent() {
    count(&TRACEPARENT, "invalid traceparent: the trace restarts");
}

pub(super) fn tracestate() {
    count(&TRACESTATE, "invalid tracestate dropped");
}

pub(super) fn over_budget() {
    count(
        &OVER_BUDGET,
        "propagation field over the byte budget dropped",
    );
}

/// Counts, and tells of the first, second, fourth, eighth .. time: a flood of bad input must
/// not become a flood of logs.
fn count(counter: &AtomicU64, what: &str) {
    let times = counter.fetch_add(1, Ordering::Relaxed) + 1;
    if times.is_power_of_two() {
        tracing::debug!(target: "dynamo_trace", times, "{what}");
    }
}
