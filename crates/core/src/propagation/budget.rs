use std::cell::Cell;

/// The bytes that are left for all fields of one carrier.
pub(crate) struct Budget {
    left: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self {
            left: Cell::new(bytes),
            exceeded: Cell::new(false),
        }
    }

    /// Passes values on while they fit, so that what does not is never read.
    pub(crate) fn spend<'b, 'a: 'b>(
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

    pub(crate) fn left(&self) -> usize {
        self.left.get()
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes));
    }

    /// Whether the last [`spend`](Self::spend) met a value that did not fit.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }
}
