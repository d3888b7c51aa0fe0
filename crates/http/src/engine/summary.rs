use std::time::{Duration, Instant, SystemTime};

/// What is counted of a streamed body: plain fields, one clock read a chunk, and none for a body
/// of one chunk.
#[derive(Clone, Copy, Debug)]
pub struct StreamSummary {
    start: SystemTime,
    last: Option<Instant>,
    /// Whether the body is a stream of server-sent events.
    pub event_stream: bool,
    /// How many chunks of data came.
    pub chunks: u64,
    /// How many bytes of data came.
    pub bytes: u64,
    /// From the start of the request to the first chunk, of a stream of events.
    pub time_to_first_chunk: Option<Duration>,
    /// The longest time between two chunks.
    pub longest_gap: Duration,
}

impl StreamSummary {
    pub(super) const fn starting_at(start: SystemTime) -> Self {
        Self {
            start,
            last: None,
            event_stream: false,
            chunks: 0,
            bytes: 0,
            time_to_first_chunk: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// The time since the start of the request.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().unwrap_or_default()
    }

    /// Counts a chunk, the `last` one or not.
    pub(super) fn count(&mut self, bytes: usize, last: bool) {
        self.chunks += 1;
        self.bytes += bytes as u64;
        if self.event_stream && self.chunks == 1 {
            self.time_to_first_chunk = Some(self.elapsed());
        }
        if last && self.last.is_none() {
            return;
        }
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.longest_gap = self.longest_gap.max(now - last);
        }
    }
}
