use std::sync::atomic::{AtomicBool, Ordering};

static BEGUN: AtomicBool = AtomicBool::new(false);

/// Says that this process is going down: from now on a guard that is dropped ends its span with
/// [`Ending::Shutdown`](super::Ending::Shutdown), not as cancelled by its consumer.
pub fn begin_shutdown() {
    BEGUN.store(true, Ordering::Relaxed);
}

pub(super) fn begun() -> bool {
    BEGUN.load(Ordering::Relaxed)
}
