use super::consumer::Changes;
use super::lookup::Lookup;
use super::queue::Queue;
use crate::client::Shared;
use crate::companion::Prefix;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Received, Trust};
use etcd_client::{Error, Event, KvClient, ResponseHeader, WatchResponse, WatchStream};
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The changes of a watch, in order, each with the context of what wrote it. Made by
/// [`Client::watch`](crate::Client::watch).
///
/// A change that a client of this crate put less than a minute ago continues that client's
/// trace; an older one, and one from before the watch began, is linked. Deletions and what
/// others wrote have no context.
///
/// Where the response with a change lacks its context, that is read. No change is lost since it
/// could not be, and none that the watcher has received is held back by that for longer than a
/// second; then the watcher reads no contexts for ten seconds. It receives further responses
/// when fewer than 16 changes are left.
///
/// Progress notifications ([`with_progress_notify`](etcd_client::WatchOptions::with_progress_notify))
/// are taken in and not told of: code that needs them watches with
/// [`watch_client`](etcd_client::Client::watch_client).
///
/// [`Received::process`] starts its span: CONSUMER, named `process change`, or
/// `process {destination}` after [`with_destination`](Self::with_destination).
///
/// The stream ends after an error, and after [`cancel`](Self::cancel). It needs tokio's timer.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped. Dropping the watcher ends the watch.
pub struct Watcher {
    stream: WatchStream,
    created: WatchResponse,
    changes: Arc<Changes>,
    /// Of the companions, which are left out of the changes.
    prefix: Option<Prefix>,
    lookup: Option<Lookup>,
    queue: Queue,
    end: End,
    compact_revision: Option<i64>,
}

/// Whether the stream has ended, and what is to be said of it.
enum End {
    Open,
    /// The user has asked for it.
    Cancelling,
    Failed(Error),
    Ended,
}

impl Watcher {
    pub(crate) async fn create(
        mut stream: WatchStream,
        kv: KvClient,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let created = loop {
            match stream.message().await? {
                Some(response) if response.created() => break response,
                Some(_) => {}
                None => return Err(Error::WatchError("closed before it was created".into())),
            }
        };
        if created.canceled() {
            return Err(Error::WatchError(reason(&created)));
        }
        let created_at = created.header().map_or(0, ResponseHeader::revision);
        let prefix = shared.companions.prefix().cloned();
        Ok(Self {
            stream,
            changes: Arc::new(Changes::new(shared, created_at)),
            created,
            lookup: prefix.clone().map(|prefix| Lookup { kv, prefix }),
            prefix,
            queue: Queue::new(),
            end: End::Open,
            compact_revision: None,
        })
    }

    /// Names what is watched, for the spans of its changes: `process {destination}`. Keys are
    /// not in there by themselves, since there may be any number of them.
    #[must_use]
    pub fn with_destination(mut self, destination: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.changes).set_destination(destination.into());
        self
    }

    /// Sets how far those are trusted who write what is watched.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        Arc::make_mut(&mut self.changes).trust = trust;
        self
    }

    /// Sets how the span that processes a change relates to the span that wrote it.
    #[must_use]
    pub fn with_relation(mut self, relation: RelationRule) -> Self {
        Arc::make_mut(&mut self.changes).relation = relation;
        self
    }

    /// Reads no companions: changes come as fast as etcd sends them, and have no context. The
    /// companions themselves stay left out.
    #[must_use]
    pub fn without_context(mut self) -> Self {
        self.lookup = None;
        self
    }

    /// The next change; `None` when the watch has ended.
    ///
    /// # Errors
    ///
    /// [`Error::WatchError`] if the server cancelled the watch, with its reason (see also
    /// [`compact_revision`](Self::compact_revision)); else as etcd-client's stream. It is the
    /// last item.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Received<Event>, Error>> {
        poll_fn(|cx| self.poll_change(cx)).await
    }

    /// Asks the server to cancel the watch. Changes that are on their way still come; then the
    /// stream ends.
    ///
    /// # Errors
    ///
    /// [`Error::WatchError`] if the stream is closed.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the watch may or may not be cancelled.
    pub async fn cancel(&mut self) -> Result<(), Error> {
        let id = self.watch_id();
        if matches!(self.end, End::Open) {
            self.end = End::Cancelling;
        }
        self.stream.cancel(id).await
    }

    /// The server's id of the watch.
    #[must_use]
    pub const fn watch_id(&self) -> i64 {
        self.created.watch_id()
    }

    /// The response that created the watch. Its header has the revision at which it began.
    #[must_use]
    pub const fn created(&self) -> &WatchResponse {
        &self.created
    }

    /// After an error: the oldest revision that the server still has, if the watch asked for an
    /// older one.
    #[must_use]
    pub const fn compact_revision(&self) -> Option<i64> {
        self.compact_revision
    }

    fn poll_change(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Received<Event>, Error>>> {
        self.read_stream(cx);
        if let Some((event, companion)) = ready!(self.queue.poll_next(self.lookup.as_ref(), cx)) {
            return Poll::Ready(Some(Ok(self.changes.receive(event, companion.as_deref()))));
        }
        match std::mem::replace(&mut self.end, End::Ended) {
            End::Ended => Poll::Ready(None),
            End::Failed(error) => Poll::Ready(Some(Err(error))),
            open @ (End::Open | End::Cancelling) => {
                self.end = open;
                Poll::Pending
            }
        }
    }

    /// Takes in responses while there is room, so that companions are read ahead.
    fn read_stream(&mut self, cx: &mut Context<'_>) {
        while matches!(self.end, End::Open | End::Cancelling) && !self.queue.is_full() {
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.end = End::Ended,
                Poll::Ready(Some(Err(error))) => self.end = End::Failed(error),
                Poll::Ready(Some(Ok(response))) => self.accept(&response),
            }
        }
    }

    fn accept(&mut self, response: &WatchResponse) {
        let (prefix, lookup) = (self.prefix.as_ref(), self.lookup.as_ref());
        self.queue.accept(response, prefix, lookup);
        if response.canceled() {
            let compacted = response.compact_revision();
            self.compact_revision = (compacted > 0).then_some(compacted);
            self.end = match self.end {
                End::Cancelling => End::Ended,
                _ => End::Failed(Error::WatchError(reason(response))),
            };
        }
    }
}

fn reason(response: &WatchResponse) -> String {
    match (response.cancel_reason(), response.compact_revision()) {
        ("", 0) => "cancelled by the server".to_owned(),
        ("", revision) => format!("the revision is compacted; the oldest is {revision}"),
        (reason, _) => reason.to_owned(),
    }
}

impl Stream for Watcher {
    type Item = Result<Received<Event>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_change(cx)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("watch_id", &self.watch_id())
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}
