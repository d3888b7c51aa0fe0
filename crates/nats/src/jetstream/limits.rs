use crate::subject::matches;
use async_nats::jetstream::stream::Info;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// The most bytes of headers that JetStream stores with a message.
pub(super) const MAX_HEADERS: usize = u16::MAX as usize;

/// Of how many streams the limits are kept.
const MOST: usize = 1024;

/// How large a message may be in the streams that are known to say so: headers count, and what
/// adds some must not be why a message is refused.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Spares the others a lock.
    are_known: AtomicBool,
    known: RwLock<Vec<Limit>>,
}

#[derive(Debug)]
struct Limit {
    stream: Box<str>,
    subjects: Box<[Box<str>]>,
    max: usize,
}

impl Limits {
    /// Takes what a stream says of itself, in place of what it said before.
    pub(super) fn learn(&self, stream: &Info) {
        let config = &stream.config;
        let max = usize::try_from(config.max_message_size).ok();
        let max = max.filter(|max| *max > 0);
        if max.is_none() && !self.are_known.load(Ordering::Relaxed) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|limit| *limit.stream != *config.name);
        if let Some(max) = max.filter(|_| known.len() < MOST) {
            let subjects = config.subjects.iter();
            known.push(Limit {
                stream: config.name.as_str().into(),
                subjects: subjects.map(|subject| subject.as_str().into()).collect(),
                max,
            });
            self.are_known.store(true, Ordering::Relaxed);
        }
    }

    /// The most bytes of a message to this subject.
    pub(super) fn of(&self, subject: &str) -> usize {
        if !self.are_known.load(Ordering::Relaxed) {
            return usize::MAX;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let takes = |limit: &&Limit| limit.subjects.iter().any(|own| matches(own, subject));
        let limits = known.iter().filter(takes).map(|limit| limit.max);
        limits.min().unwrap_or(usize::MAX)
    }
}
