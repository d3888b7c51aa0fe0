//! Trace ids that say whether they are ours.
//!
//! A new root has to set the random flag if the right-most 7 bytes of its trace-id are random (W3C
//! Trace Context Level 2, section 3.2.2.5.2), and a trace that is merely continued has to keep the
//! flag that came in. At injection the SDK no longer knows which of the two it has: its sampler
//! clears the flag on both. So the id itself carries the answer.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Generates ids: a span-id is random; of a trace-id the right-most 10 bytes are random, and the
/// left-most 6 are a SipHash of those under a key that this process draws at start.
///
/// [`RootIds::made_here`] recognises such a trace-id without keeping any state. That a trace-id of
/// another process passes for one of ours has a probability of 2^-48.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RootIds;

/// One key for the process, so that several providers recognise each other's roots.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

thread_local! {
    static RANDOM: RefCell<SmallRng> = RefCell::new(seeded());
}

impl RootIds {
    /// Whether this process made `trace_id` for a new root, so that its right-most bytes are
    /// random.
    #[must_use]
    pub fn made_here(trace_id: TraceId) -> bool {
        trace_id != TraceId::INVALID && trace_id == sealed(trace_id)
    }
}

impl IdGenerator for RootIds {
    fn new_trace_id(&self) -> TraceId {
        loop {
            let trace_id = sealed(TraceId::from(random::<u128>()));
            if trace_id != TraceId::INVALID {
                return trace_id;
            }
        }
    }

    fn new_span_id(&self) -> SpanId {
        loop {
            let span_id = SpanId::from(random::<u64>());
            if span_id != SpanId::INVALID {
                return span_id;
            }
        }
    }
}

/// `trace_id` with its left-most 6 bytes replaced by the hash of the other 10.
fn sealed(trace_id: TraceId) -> TraceId {
    const RANDOM_BITS: u32 = 80;
    let random = u128::from_be_bytes(trace_id.to_bytes()) & ((1 << RANDOM_BITS) - 1);
    let seal = u128::from(KEY.hash_one(random)) << RANDOM_BITS;
    TraceId::from(seal | random)
}

/// A random UUID (version 4).
pub(crate) fn random_uuid() -> String {
    let id = random::<u128>() & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let text = format!("{id:032x}");
    let mut uuid = String::with_capacity(36);
    for (place, digit) in text.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

fn random<T>() -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    RANDOM.with_borrow_mut(Rng::random)
}

/// A generator for one thread, seeded from the keys that the standard library draws from the
/// operating system.
fn seeded() -> SmallRng {
    let entropy = RandomState::new();
    let mut seed = <SmallRng as SeedableRng>::Seed::default();
    for (place, chunk) in seed.chunks_mut(size_of::<u64>()).enumerate() {
        for (byte, random) in chunk.iter_mut().zip(entropy.hash_one(place).to_ne_bytes()) {
            *byte = random;
        }
    }
    SmallRng::from_seed(seed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn roots_are_recognised_and_nothing_else_is() {
        for _ in 0..1_000 {
            let trace_id = RootIds.new_trace_id();
            assert!(RootIds::made_here(trace_id));
            let bytes = trace_id.to_bytes();
            for place in 0..bytes.len() {
                let mut other = bytes;
                other[place] ^= 1;
                assert!(
                    !RootIds::made_here(TraceId::from_bytes(other)),
                    "byte {place}"
                );
            }
        }
        assert!(!RootIds::made_here(TraceId::INVALID));
    }

    #[test]
    fn ids_are_distinct_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    (0..1_000)
                        .map(|_| (RootIds.new_trace_id(), RootIds.new_span_id()))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let ids: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let tails: HashSet<_> = ids
            .iter()
            .map(|(id, _)| id.to_bytes()[9..].to_vec())
            .collect();
        let spans: HashSet<_> = ids.iter().map(|(_, id)| *id).collect();
        assert_eq!((tails.len(), spans.len()), (4_000, 4_000));
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = random_uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(
            uuid.match_indices('-')
                .map(|(place, _)| place)
                .collect::<Vec<_>>(),
            [8, 13, 18, 23]
        );
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
    }
}
