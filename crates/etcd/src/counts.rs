use std::sync::atomic::{AtomicU64, Ordering};

/// Contexts that a client and its clones could not write or not have, since it was made. Each
/// number only grows.
///
/// A write whose context is left out is carried out all the same, and a change, or a value, whose
/// context cannot be had is handed on all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostContexts {
    /// Writes without the companions that they should have had: the server refused those, or has
    /// done so time after time, or the transaction would have been too long.
    pub companions_left_out: u64,
    /// Deletions without a note of who deleted, for the same reasons, and since etcd has no space
    /// left for it.
    pub notes_left_out: u64,
    /// Puts without the envelope that they should have had: the value would have been too large.
    pub envelopes_left_out: u64,
    /// Comparisons of a transaction with a value that is in an envelope in the store, where they
    /// do not see it: they fail.
    pub envelopes_compared: u64,
    /// Nobody left a context: it was a foreign or untraced writer, or a lease that ran out.
    pub missing: u64,
    /// What was found is no context.
    pub invalid: u64,
    /// What was found is longer than a context may be.
    pub too_large: u64,
    /// It was not read within a second, or no longer looked for after that.
    pub late: u64,
    /// The user may not read it.
    pub denied: u64,
    /// Its revision was compacted before it was read.
    pub compacted: u64,
    /// It could not be read otherwise.
    pub failed: u64,
}

/// Why a context could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Missing,
    Invalid,
    TooLarge,
    Late,
    Denied,
    Compacted,
    Failed,
}

/// What was left out of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    Companions,
    Note,
    Envelopes,
}

/// The counters of a client.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    lost: [AtomicU64; 7],
    left_out: [AtomicU64; 3],
    compared: AtomicU64,
}

impl Counts {
    pub(crate) fn lost(&self, loss: Loss) {
        add(self.lost.get(loss as usize), 1);
    }

    /// Counts, and tells of the first, second, fourth, eighth .. time.
    pub(crate) fn left_out(&self, what: LeftOut, why: &str) {
        let times = add(self.left_out.get(what as usize), 1);
        if times.is_power_of_two() {
            tracing::debug!(target: "dynamo_trace", times, ?what, "etcd context left out: {why}");
        }
    }

    pub(crate) fn compared(&self, times: u64) {
        if times > 0 && add(Some(&self.compared), times) == times {
            tracing::debug!(
                target: "dynamo_trace",
                "etcd transaction compares a value that is in an envelope: it does not match"
            );
        }
    }

    pub(crate) fn snapshot(&self) -> LostContexts {
        let [missing, invalid, too_large, late, denied, compacted, failed] =
            self.lost.each_ref().map(value);
        let [companions_left_out, notes_left_out, envelopes_left_out] =
            self.left_out.each_ref().map(value);
        LostContexts {
            companions_left_out,
            notes_left_out,
            envelopes_left_out,
            envelopes_compared: value(&self.compared),
            missing,
            invalid,
            too_large,
            late,
            denied,
            compacted,
            failed,
        }
    }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: Option<&AtomicU64>, times: u64) -> u64 {
    counter.map_or(0, |counter| {
        counter.fetch_add(times, Ordering::Relaxed) + times
    })
}
