use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a change waits for its companion.
pub(super) const WITHIN: Duration = Duration::from_secs(1);

/// How long a watch has waited for companions. The time that its user takes for changes does
/// not count: those behind them keep their contexts.
#[derive(Default)]
pub(super) struct Patience {
    waited: Duration,
    waiting_since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// How long in all, until now. Ends the wait that is under way.
    pub(super) fn waited(&mut self) -> Duration {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        self.waited
    }

    /// Waits for what arrived when the watch had waited for `arrival`; ready when that has been
    /// for long enough.
    pub(super) fn poll_wait(&mut self, arrival: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let left = (arrival + WITHIN).saturating_sub(self.waited());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let now = Instant::now();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(now + left)));
        sleep.as_mut().reset(now + left);
        self.waiting_since = Some(now);
        ready!(sleep.as_mut().poll(cx));
        // What comes now is the user's time.
        self.waiting_since = None;
        Poll::Ready(())
    }
}
