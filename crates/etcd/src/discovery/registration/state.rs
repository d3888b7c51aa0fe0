use super::Error;
use std::sync::Arc;

/// How a registration stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// The key is there, as of the last answer of the server.
    Registered {
        /// The lease that it has.
        lease: i64,
        /// Which time it was registered: 1, and one more after each loss.
        count: i64,
    },
    /// The lease could not be kept alive, and may still be there: its time has not yet run out.
    Unconfirmed {
        /// What the last try failed with.
        error: Arc<Error>,
    },
    /// The lease is gone, or its time has run out while the server could not be asked. What the
    /// server says next decides whether it is registered anew.
    Lost {
        /// What the last try failed with; [`Error::LeaseGone`] before the first one.
        error: Arc<Error>,
    },
}

impl State {
    /// Whether the key is there, as far as is known.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self, Self::Registered { .. })
    }
}
