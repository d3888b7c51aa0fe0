use super::order::{Deregister, Order, Update};
use super::{Error, State};
use std::fmt;
use tokio::sync::{mpsc, oneshot, watch};

/// An instance that is registered, for as long as this lives. Made by
/// [`Registration::register`](super::Registration::register).
///
/// When it is dropped the lease is revoked in the background, as far as the server can be reached
/// and the runtime lives; otherwise the instance vanishes when the lease expires. Its task ends
/// then, within 30 s at most.
#[must_use = "dropping it takes the instance out"]
pub struct Registered {
    states: watch::Receiver<State>,
    updates: mpsc::Sender<Update>,
    end: oneshot::Sender<Deregister>,
}

impl Registered {
    pub(super) const fn new(
        states: watch::Receiver<State>,
        updates: mpsc::Sender<Update>,
        end: oneshot::Sender<Deregister>,
    ) -> Self {
        Self {
            states,
            updates,
            end,
        }
    }

    /// How the registration stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// How it stands, now and when that changes. Who looks too late sees the latest state only:
    /// the `count` of [`State::Registered`] tells of losses in between. The channel closes when
    /// the registration has ended.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// Puts a new value, by a `Put` span in the current context; every later registration has it
    /// too. While the registration is lost, this waits until it is back.
    ///
    /// # Errors
    ///
    /// As [`register`](super::Registration::register); then later registrations have the value
    /// of before, though etcd may have carried out what it failed to answer. [`Error::Ended`] if the
    /// runtime was shut down.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the value may still be put.
    pub async fn update(&self, value: impl Into<Vec<u8>>) -> Result<(), Error> {
        let (update, done) = Order::new(value.into());
        let sent = self.updates.send(update).await;
        sent.map_err(|_| Error::Ended)?;
        done.await.unwrap_or(Err(Error::Ended))
    }

    /// Takes the instance out at once, by revoking its lease: a `LeaseRevoke` span in the current
    /// context. A key of the same name that somebody else has put since stays.
    ///
    /// # Errors
    ///
    /// [`Error::Etcd`] and [`Error::Unanswered`]: the instance vanishes when its lease expires.
    /// [`Error::Ended`] if the runtime was shut down. A lease that is gone is no error.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is done, it goes on in the background.
    pub async fn deregister(self) -> Result<(), Error> {
        let (end, done) = Order::new(());
        self.end.send(end).map_err(|_| Error::Ended)?;
        done.await.unwrap_or(Err(Error::Ended))
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("state", &*self.states.borrow())
            .finish_non_exhaustive()
    }
}
