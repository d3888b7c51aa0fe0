use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pauses between tries, each twice as long as the one before, up to a most. All of them are
/// shortened by chance, by up to a half: what was cut off together does not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    most: Duration,
    next: Duration,
    paused: Option<Instant>,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    /// The longest pause.
    pub(crate) const MOST: Duration = Duration::from_secs(5);

    pub(crate) fn new(most: Duration) -> Self {
        Self {
            most: most.min(Self::MOST),
            next: Self::FIRST,
            paused: None,
        }
    }

    /// Waits. After a while without a pause, the pauses are short again.
    pub(crate) async fn pause(&mut self) {
        let going_well = |paused: Instant| paused.elapsed() > 2 * self.most;
        if self.paused.is_some_and(going_well) {
            self.next = Self::FIRST;
        }
        let pause = self.next.min(self.most);
        self.next = pause * 2;
        sleep(shortened(pause, RandomState::new().hash_one(()))).await;
        self.paused = Some(Instant::now());
    }
}

/// Between a half of it and the whole.
fn shortened(pause: Duration, chance: u64) -> Duration {
    let half = pause / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    half + Duration::from_nanos(chance % nanos.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pause(backoff: &mut Backoff) -> Duration {
        let start = Instant::now();
        backoff.pause().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_most_and_start_anew_when_it_goes_well() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for millis in [100, 200, 400, 800, 1000, 1000] {
            let longest = Duration::from_millis(millis);
            let slept = pause(&mut backoff).await;
            // The timer of tokio rounds up to a millisecond.
            assert!(slept >= longest / 2, "{slept:?}");
            assert!(slept <= longest + Duration::from_millis(1), "{slept:?}");
        }
        sleep(Duration::from_secs(3)).await;
        assert!(pause(&mut backoff).await <= Duration::from_millis(101));
        assert_eq!(Backoff::new(Duration::MAX).most, Backoff::MOST);
    }

    #[test]
    fn chance_shortens_by_a_half_at_most() {
        let pause = Duration::from_millis(100);
        assert_eq!(shortened(pause, 0), pause / 2);
        assert_eq!(shortened(pause, 50_000_000), pause);
        assert_eq!(shortened(pause, 50_000_001), pause / 2);
        assert_eq!(shortened(Duration::ZERO, 7), Duration::ZERO);
    }
}
