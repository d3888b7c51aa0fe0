//! Waiting for a condition, never for a time; a deadline turns a hang into a failure.

use std::time::Duration;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `pick` finds what it looks for.
pub(super) async fn wait_for<T, R>(
    mut values: watch::Receiver<T>,
    what: &str,
    mut pick: impl FnMut(&T) -> Option<R>,
) -> R {
    within(what, async {
        loop {
            let picked = pick(&values.borrow_and_update());
            match picked {
                Some(found) => return found,
                None => assert!(values.changed().await.is_ok(), "waited in vain for {what}"),
            }
        }
    })
    .await
}

/// Fails if `future` does not complete.
#[expect(clippy::panic, reason = "a failed check of the suite")]
pub(super) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}
