use std::thread;

/// Does something if a panic begins while this lives.
///
/// Who catches a panic may drop what panicked when the panic is over: too late to tell it from a
/// cancellation. A panic that was under way before is somebody else's.
pub struct OnUnwind<F: FnMut()> {
    act: F,
    before: bool,
}

impl<F: FnMut()> OnUnwind<F> {
    /// Watches from now on.
    #[must_use]
    pub fn new(act: F) -> Self {
        Self {
            act,
            before: thread::panicking(),
        }
    }
}

impl<F: FnMut()> Drop for OnUnwind<F> {
    fn drop(&mut self) {
        if !self.before && thread::panicking() {
            (self.act)();
        }
    }
}

impl<F: FnMut()> std::fmt::Debug for OnUnwind<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnUnwind").finish_non_exhaustive()
    }
}
