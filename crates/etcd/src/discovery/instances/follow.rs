use super::consumer::Spans;
use super::instance::{Change, Instance};
use super::log::Log;
use super::reader::View;
use super::source::Source;
use crate::backoff::Backoff;
use crate::discovery::quiet;
use crate::{Received, Watcher};
use dynamo_trace_core::Remote;
use etcd_client::{Error, Event, KeyValue};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How long reading and beginning to watch may take, all in all.
const WITHIN: Duration = Duration::from_secs(30);

/// Keeps the map up to date.
pub(super) struct Follow {
    pub(super) source: Source,
    pub(super) spans: Arc<Spans>,
    pub(super) views: watch::Sender<View>,
    pub(super) log: Arc<Log>,
    /// Closed when nobody takes changes.
    pub(super) ring: mpsc::Sender<()>,
}

impl Follow {
    /// Ends when there is no reader any more.
    pub(super) async fn run(self, watcher: Watcher) {
        tokio::select! {
            never = self.follow(watcher) => match never {},
            () = self.views.closed() => {}
        }
    }

    async fn follow(&self, mut watcher: Watcher) -> Infallible {
        let mut backoff = Backoff::new(Backoff::MOST);
        loop {
            let error = quiet(&self.source.etcd, self.take_all(watcher)).await;
            self.fell_behind(error);
            watcher = loop {
                backoff.pause().await;
                match self.reopen().await {
                    Ok(watcher) => break watcher,
                    Err(error) => self.fell_behind(error),
                }
            };
        }
    }

    /// Takes in events until the watch ends; why it does.
    async fn take_all(&self, mut watcher: Watcher) -> Error {
        loop {
            match watcher.next().await {
                Some(Ok(event)) => self.take(event),
                Some(Err(error)) => return error,
                None => return Error::WatchError("the watch ended".to_owned()),
            }
        }
    }

    async fn reopen(&self) -> Result<Watcher, Error> {
        let open = quiet(&self.source.etcd, self.source.open());
        let unanswered = |_| Error::WatchError(format!("no answer within {WITHIN:?}"));
        let (found, watcher) = timeout(WITHIN, open).await.map_err(unanswered)??;
        self.catch_up(found);
        Ok(watcher)
    }

    fn fell_behind(&self, error: Error) {
        tracing::debug!(target: "dynamo_trace", %error, "instances are not watched");
        let error = Some(Arc::new(error));
        self.views.send_modify(|view| view.error = error);
    }

    fn take(&self, event: Received<Event>) {
        let (event, remote, delivery) = event.into_parts();
        let Some(kv) = event.kv() else { return };
        let known = self.views.borrow().map.get(kv.key()).cloned();
        let sent_at = delivery.sent_at;
        let change = match (is_put(kv), known) {
            (true, known) => {
                let instance = Arc::new(self.noticed(kv, &remote, sent_at));
                match known {
                    Some(_) => Change::Updated(instance),
                    None => Change::Joined(instance),
                }
            }
            (false, Some(last)) => Change::Left(last),
            (false, None) => return,
        };
        let update = change.clone();
        let received = match remote.span_context() {
            Some(_) => self.spans.of(change, remote, sent_at),
            None => self.spans.of_old(change),
        };
        self.publish(vec![received], |view| {
            update.apply_to(Arc::make_mut(&mut view.map));
        });
    }

    /// An instance that is noticed now.
    pub(super) fn noticed(
        &self,
        kv: &KeyValue,
        writer: &Remote,
        sent_at: Option<SystemTime>,
    ) -> Instance {
        let mut instance = Instance::new(kv, self.source.prefix.len());
        instance.writer = writer.span_context().cloned();
        if !self.spans.is_replay(kv.mod_revision()) {
            let after = |sent_at| SystemTime::now().duration_since(sent_at).ok();
            instance.noticed_after = sent_at.and_then(after);
        }
        instance
    }

    /// Updates what readers see, and takes down the changes for who takes them.
    pub(super) fn publish(&self, changes: Vec<Received<Change>>, update: impl FnOnce(&mut View)) {
        let changes = Some(changes).filter(|_| !self.ring.is_closed());
        self.log.add(changes, || self.views.send_modify(update));
        // Full: it rings already. Closed: nobody listens.
        let _ = self.ring.try_send(());
    }
}

/// Only a deleted key has version 0.
const fn is_put(kv: &KeyValue) -> bool {
    kv.version() > 0
}
