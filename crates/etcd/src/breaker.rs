use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tonic::Code;

/// Leaves alone what fails time after time: after so many failures in a row there is one try
/// per pause, until one succeeds.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    tried: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new(failures: u32, pause: Duration) -> Self {
        Self {
            failures,
            pause,
            state: Mutex::default(),
        }
    }

    /// Whether to try at `now`.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.failures < self.failures {
            return true;
        }
        let pauses = |tried| now.saturating_duration_since(tried) < self.pause;
        if state.tried.is_some_and(pauses) {
            return false;
        }
        state.tried = Some(now);
        true
    }

    pub(crate) fn succeeded(&self) {
        self.state().failures = 0;
    }

    pub(crate) fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        state.tried = Some(now);
    }

    /// Refused with this code. What is about the one request says nothing of others.
    pub(crate) fn denied(&self, code: Code) {
        if code == Code::PermissionDenied {
            self.failed(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Any two values go together, whoever panicked between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_in_a_row_there_is_one_try_per_pause_until_one_succeeds() {
        let breaker = Breaker::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        breaker.failed(at(0));
        breaker.succeeded();
        breaker.failed(at(0));
        assert!(breaker.admits(at(0)) && breaker.admits(at(0)));
        breaker.failed(at(0));
        assert!(!breaker.admits(at(0)) && !breaker.admits(at(59)));
        assert!(breaker.admits(at(60)));
        assert!(!breaker.admits(at(60)));
        breaker.failed(at(61));
        assert!(!breaker.admits(at(120)));
        assert!(breaker.admits(at(121)));
        breaker.succeeded();
        assert!(breaker.admits(at(121)) && breaker.admits(at(121)));
    }
}
