use std::cell::Cell;

/// The bytes that are left for all fields of one carrier.
pub(super) struct Budget {
    left: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Budget {
    pub(super) const fn new(bytes: usize) -> Self {
        Self {
            left: Cell::new(bytes),
            exceeded: Cell::new(false),
        }
    }

    /// Passes values on while they fit, so that what does not is never read.
    pub(super) fn spend<'b, 'a: 'b>(
        &'b self,
        values: impl Iterator<Item = &'a [u8]> + 'b,
    ) -> impl Iterator<Item = &'a [u8]> + 'b {
        self.exceeded.set(false);
        values.map_while(|value| match self.left.get().checked_sub(value.len()) {
            Some(left) => {
                self.left.set(left);
                Some(value)
            }
            None => {
                self.exceeded.set(true);
                None
            }
        })
    }

    /// Whether the last [`spend`](Self::spend) met a value that did not fit.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }
}
