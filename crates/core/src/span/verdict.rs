use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// A failure that is known before the work ends: an error that was sent as its response, say.
///
/// Shared by who learns of it, on whatever task, and by the span's guard. Once there is one, the
/// span ends as failed, however the work ends. What is said after the end comes too late. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<OnceLock<Cow<'static, str>>>);

impl Verdict {
    /// Says that the work failed, with this `error.type`. The first to say so is believed.
    pub fn fail(&self, error_type: impl Into<Cow<'static, str>>) {
        // Fails where it was said before.
        let _ = self.0.set(error_type.into());
    }

    /// The `error.type`, if the work is known to have failed.
    pub(super) fn error_type(&self) -> Option<Cow<'static, str>> {
        self.0.get().cloned()
    }
}
