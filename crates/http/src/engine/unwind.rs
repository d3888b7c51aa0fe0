/// Does something if the thread panics while this lives.
///
/// Who catches a panic may drop what panicked when the panic is over: too late to tell it from a
/// cancellation.
pub(super) struct OnUnwind<F: FnMut()>(pub(super) F);

impl<F: FnMut()> Drop for OnUnwind<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}
