use dynamo_trace_core::carrier::BlockError;
use std::sync::atomic::{AtomicU64, Ordering};

static CONTEXT_BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Counts a broken context block, and tells of the first, second, fourth, eighth .. in this
/// process: a flood of bad input must not become a flood of logs.
pub(super) fn context_block(error: &BlockError) {
    let times = CONTEXT_BLOCKS.fetch_add(1, Ordering::Relaxed) + 1;
    if times.is_power_of_two() {
        let error: &(dyn std::error::Error + 'static) = error;
        tracing::debug!(target: "dynamo_trace", times, error, "broken context block of a frame dropped");
    }
}
