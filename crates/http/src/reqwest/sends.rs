use http::Extensions;

/// How often a middleware sent a request, in the extensions that all of its sends share.
///
/// It is out of them for the time of a send, so that another middleware inside, which has sends
/// of its own to count, does not count on from there.
#[derive(Debug)]
pub(super) struct Sends<'e> {
    sent: Sent,
    extensions: &'e mut Extensions,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent(u32);

impl<'e> Sends<'e> {
    pub(super) fn take(extensions: &'e mut Extensions) -> Self {
        let sent = extensions.remove().unwrap_or_default();
        Self { sent, extensions }
    }

    /// Counts a send, and gives how many were before it.
    pub(super) const fn count(&mut self) -> u32 {
        let before = self.sent.0;
        self.sent.0 = before.saturating_add(1);
        before
    }

    pub(super) const fn extensions(&mut self) -> &mut Extensions {
        self.extensions
    }
}

impl Drop for Sends<'_> {
    fn drop(&mut self) {
        self.extensions.insert(self.sent);
    }
}
