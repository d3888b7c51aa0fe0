use std::time::{Duration, Instant};

/// What is counted of a streamed body: plain fields, one clock read a chunk.
#[derive(Clone, Copy, Debug)]
pub struct StreamSummary {
    start: Instant,
    last: Instant,
    /// Whether the body is a stream of server-sent events.
    pub event_stream: bool,
    /// How many chunks of data came.
    pub chunks: u64,
    /// How many bytes of data came.
    pub bytes: u64,
    /// From the start of the request to the first chunk.
    pub time_to_first_chunk: Option<Duration>,
    /// The longest time between two chunks.
    pub longest_gap: Duration,
}

impl StreamSummary {
    pub(super) fn starting_now() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            last: now,
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
        self.start.elapsed()
    }

    pub(super) fn count(&mut self, bytes: usize) {
        let now = Instant::now();
        match self.time_to_first_chunk {
            None => self.time_to_first_chunk = Some(now - self.start),
            Some(_) => self.longest_gap = self.longest_gap.max(now - self.last),
        }
        self.last = now;
        self.chunks += 1;
        self.bytes += bytes as u64;
    }
}
