use super::place::Place;
use super::{Error, within};
use opentelemetry::Context;
use tokio::sync::{mpsc, oneshot};

/// What is to be done, and on whose behalf.
pub(super) struct Order<T> {
    pub(super) what: T,
    pub(super) context: Context,
    pub(super) answer: oneshot::Sender<Result<(), Error>>,
}

/// A new value.
pub(super) type Update = Order<Vec<u8>>;
/// The end.
pub(super) type Deregister = Order<()>;

impl<T> Order<T> {
    /// In the current context, and where its answer comes.
    pub(super) fn new(what: T) -> (Self, oneshot::Receiver<Result<(), Error>>) {
        let (answer, answered) = oneshot::channel();
        let context = Context::current();
        let order = Self {
            what,
            context,
            answer,
        };
        (order, answered)
    }
}

/// Puts updates. Ends when one says that the lease is gone; that one is still pending then.
pub(super) async fn put_updates(
    place: &Place,
    lease: i64,
    updates: &mut mpsc::Receiver<Update>,
    pending: &mut Option<Update>,
    value: &mut Vec<u8>,
) {
    while let Some(update) = updates.recv().await {
        let update = pending.insert(update);
        let put = place.put(&update.what, lease);
        let put = within(&place.etcd, update.context.clone(), put).await;
        if put.as_ref().is_err_and(Error::is_lease_gone) {
            return;
        }
        if let Some(update) = pending.take() {
            // The caller is told of an error; here it is none.
            let _ = update.finish(put, value);
        }
    }
    // Nobody can ask for one any more: the end comes.
    std::future::pending().await
}

impl Update {
    /// Tells the caller; the value is from now on the registration's if it was put.
    pub(super) fn finish(self, put: Result<(), Error>, value: &mut Vec<u8>) -> Result<(), Error> {
        let again = match &put {
            Ok(()) => {
                *value = self.what;
                Ok(())
            }
            Err(_) => Err(Error::LeaseGone),
        };
        // Nobody may be waiting any more.
        let _ = self.answer.send(put);
        again
    }
}
