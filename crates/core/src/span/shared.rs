use super::interned::{Interned, Recent};
use opentelemetry::StringValue;
use std::sync::atomic::{AtomicBool, Ordering};

static TEXTS: Interned<SharedText> = Interned::new(2048, 256);

thread_local! {
    static RECENT: Recent<SharedText> = const { Recent::new() };
}

/// A text that is kept as long as the process lives, made by [`shared_text`].
#[derive(Debug)]
pub struct SharedText {
    text: &'static str,
    confirmed: AtomicBool,
}

/// A text that others choose, of few values: a host, a user agent, the method of an RPC. The
/// first 2048 of a process, of at most 256 bytes, are made once; of others there is none.
#[must_use]
pub fn shared_text(text: &str) -> Option<&'static SharedText> {
    let make = |key| SharedText {
        // The key is `text`.
        text: std::str::from_utf8(key).unwrap_or_default(),
        confirmed: AtomicBool::new(false),
    };
    RECENT.with(|recent| TEXTS.find(recent, text.as_bytes(), make))
}

impl SharedText {
    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.text
    }

    /// Whether [`confirm`](Self::confirm) was called: of a method, whether a server has answered
    /// to it.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// Says that the text is what it claims to be.
    pub fn confirm(&self) {
        if !self.is_confirmed() {
            self.confirmed.store(true, Ordering::Relaxed);
        }
    }

    /// The text as an attribute's value, shared or copied.
    #[must_use]
    pub fn value_of(text: &str) -> StringValue {
        match shared_text(text) {
            Some(shared) => shared.text.into(),
            None => text.to_owned().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shared_and_confirmed_once() {
        let text = shared_text("pkg.Service/Kept").unwrap();
        assert_eq!(text.as_str(), "pkg.Service/Kept");
        assert!(!text.is_confirmed());
        text.confirm();
        let again = shared_text("pkg.Service/Kept").unwrap();
        assert!(std::ptr::eq(text, again) && again.is_confirmed());
        assert!(!shared_text("pkg.Service/Kept2").unwrap().is_confirmed());
    }

    #[test]
    fn a_long_text_is_copied() {
        let long = "x".repeat(300);
        assert!(shared_text(&long).is_none());
        assert_eq!(SharedText::value_of(&long).as_str(), long);
    }
}
