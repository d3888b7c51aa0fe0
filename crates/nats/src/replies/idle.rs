use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// How long something is waited for: from the first poll on, so that the time that the caller
/// takes in between does not count.
#[derive(Debug)]
pub(super) struct Idle {
    limit: Option<Duration>,
    waiting: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    pub(super) const fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            waiting: false,
            sleep: None,
        }
    }

    /// What was waited for is there.
    pub(super) const fn reset(&mut self) {
        self.waiting = false;
    }

    /// Whether it was waited for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let sleep = match &mut self.sleep {
            Some(known) => {
                if !self.waiting {
                    known.set(sleep(limit));
                }
                known
            }
            None => self.sleep.insert(Box::pin(sleep(limit))),
        };
        self.waiting = true;
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::time::advance;

    const LIMIT: Duration = Duration::from_secs(10);
    const NEARLY: Duration = Duration::from_secs(9);

    fn is_over(idle: &mut Idle) -> bool {
        idle.poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_caller_does_not_count() {
        let mut idle = Idle::new(Some(LIMIT));
        advance(LIMIT * 2).await;
        for _ in 0..2 {
            assert!(!is_over(&mut idle));
            advance(NEARLY).await;
            assert!(!is_over(&mut idle));
            idle.reset();
            advance(LIMIT * 2).await;
        }
        assert!(!is_over(&mut idle));
        advance(LIMIT).await;
        assert!(is_over(&mut idle));
    }

    #[tokio::test(start_paused = true)]
    async fn there_may_be_no_limit() {
        for limit in [None, Some(Duration::MAX)] {
            let mut idle = Idle::new(limit);
            for _ in 0..2 {
                assert!(!is_over(&mut idle));
                advance(Duration::from_secs(1_000_000)).await;
                assert!(!is_over(&mut idle));
                idle.reset();
            }
        }
    }
}
