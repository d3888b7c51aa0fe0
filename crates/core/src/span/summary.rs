use super::attributes::{
    STREAM_BYTES, STREAM_CHUNKS, STREAM_LONGEST_GAP, STREAM_TIME_TO_FIRST_CHUNK,
    TIME_TO_FIRST_CHUNK,
};
use opentelemetry::KeyValue;
use std::time::{Duration, SystemTime};

/// What is counted of a stream, such as a body or the replies to a request: plain fields, one
/// clock read a chunk, and none for a stream of one chunk that says so. By the clock of the span's
/// own times.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamSummary {
    last: Option<SystemTime>,
    /// Whether it is a stream of server-sent events: of tokens.
    pub event_stream: bool,
    /// How many chunks of data came.
    pub chunks: u64,
    /// How many bytes of data came.
    pub bytes: u64,
    /// From the start of the request to the first of several chunks.
    pub time_to_first_chunk: Duration,
    /// The longest time between two chunks.
    pub longest_gap: Duration,
}

impl StreamSummary {
    /// Counts a chunk, the `last` one or not, of a request that began at `start`.
    #[inline]
    pub fn count(&mut self, bytes: usize, last: bool, start: SystemTime) {
        self.chunks += 1;
        self.bytes += bytes as u64;
        if last && self.last.is_none() {
            return;
        }
        let now = SystemTime::now();
        let since = |then| now.duration_since(then).unwrap_or_default();
        match self.last.replace(now) {
            Some(last) => self.longest_gap = self.longest_gap.max(since(last)),
            None => self.time_to_first_chunk = since(start),
        }
    }

    /// What was counted, as attributes. One chunk is no stream: there are none.
    #[must_use]
    pub fn attributes(&self) -> Option<[KeyValue; 4]> {
        if self.chunks < 2 {
            return None;
        }
        let time_to_first_chunk = match self.event_stream {
            true => TIME_TO_FIRST_CHUNK,
            false => STREAM_TIME_TO_FIRST_CHUNK,
        };
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let seconds = |duration: Duration| duration.as_secs_f64();
        Some([
            KeyValue::new(STREAM_CHUNKS, count(self.chunks)),
            KeyValue::new(STREAM_BYTES, count(self.bytes)),
            KeyValue::new(time_to_first_chunk, seconds(self.time_to_first_chunk)),
            KeyValue::new(STREAM_LONGEST_GAP, seconds(self.longest_gap)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_stays() {
        const GAP: Duration = Duration::from_millis(20);
        let start = SystemTime::now();
        let mut summary = StreamSummary::default();
        summary.count(1, false, start);
        // What is measured, no synchronisation.
        std::thread::sleep(GAP);
        for _ in 0..3 {
            summary.count(1, false, start);
        }
        assert!(summary.longest_gap >= GAP, "{summary:?}");
    }
}
