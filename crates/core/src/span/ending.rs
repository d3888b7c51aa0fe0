use super::shutdown;
use std::borrow::Cow;

/// How the work of a span ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The work was done. The span's status stays unset.
    Complete,
    /// The work failed; the field is `error.type`. The span's status is an error.
    Failed(Cow<'static, str>),
    /// The consumer went away, which is no error.
    Cancelled,
    /// This process shut down before the work was done.
    Shutdown,
}

impl Ending {
    /// A failure of this type.
    pub fn failed(error_type: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(error_type.into())
    }

    /// A failure with the name of its Rust type as `error.type`.
    #[must_use]
    pub fn failed_with<E: ?Sized>(_: &E) -> Self {
        Self::failed(std::any::type_name::<E>())
    }

    /// The ending of work that is dropped now: in a panic it failed, after
    /// [`begin_shutdown`](super::begin_shutdown) the process went down, else it was cancelled.
    #[must_use]
    pub fn dropped() -> Self {
        if std::thread::panicking() {
            Self::failed("panic")
        } else if shutdown::begun() {
            Self::Shutdown
        } else {
            Self::Cancelled
        }
    }

    /// The value of [`ENDING`](super::attributes::ENDING).
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Shutdown => "shutdown",
        }
    }
}
