use http::Uri;

/// A scheme, and the port that it means where none is given.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) port: u16,
}

impl Scheme {
    pub(super) const HTTP: Self = Self {
        name: "http",
        port: 80,
    };
    pub(super) const HTTPS: Self = Self {
        name: "https",
        port: 443,
    };

    pub(super) fn of(uri: &Uri) -> Self {
        match uri.scheme_str() {
            Some("https") => Self::HTTPS,
            _ => Self::HTTP,
        }
    }

    /// The scheme of this name, which compares in any case: RFC 9110, 4.2.3.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::HTTP, Self::HTTPS]
            .into_iter()
            .find(|scheme| scheme.name.eq_ignore_ascii_case(name))
    }
}
