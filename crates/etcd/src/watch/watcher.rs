use super::consumer::Changes;
use super::lookup::Lookup;
use super::queue::Queue;
use super::responses::{Responses, Taken};
use super::sources::Sources;
use crate::client::Shared;
use crate::companion::Companions;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Received, Trust};
use etcd_client::{Error, Event, KvClient, WatchResponse};
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The changes of a watch, in order, each with the context of what wrote it. Made by
/// [`Client::watch`](crate::Client::watch).
///
/// A change that a client of this crate made less than a minute ago continues that client's
/// trace; an older one, and one from before the watch began, is linked. What others wrote has no
/// context. A key that others deleted, or that went with its lease, is linked to who had put it
/// last: [`attributes::CHANGE_LINK`](crate::attributes::CHANGE_LINK) says so. Its `remote` is
/// link-only, so that nothing continues the trace of somebody who did not do it.
///
/// Where the response with a change lacks its context, that is read: one read for a change. No
/// change is lost since it could not be, and none that the watcher has received is held back by
/// that for longer than a second; then the watcher reads no contexts for ten seconds. It receives
/// further responses when fewer than 16 changes are left.
/// [`Client::lost_contexts`](crate::Client::lost_contexts) counts what could not be read.
///
/// Progress notifications ([`with_progress_notify`](etcd_client::WatchOptions::with_progress_notify))
/// are taken in and not told of: code that needs them watches with
/// [`watch_client`](etcd_client::Client::watch_client).
///
/// [`Received::process`] starts its span: CONSUMER, named `process change`, or
/// `process {destination}` after [`with_destination`](Self::with_destination).
///
/// The stream ends after an error, and after [`cancel`](Self::cancel), unless it
/// [resumes](crate::Client::watch_resuming). It needs tokio's timer.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped. Dropping the watcher ends the watch.
pub struct Watcher {
    responses: Responses,
    changes: Arc<Changes>,
    /// Reads what does not come with the changes; without it nobody wants to know.
    lookup: Option<Lookup>,
    are_wanted: bool,
    companions: Arc<Companions>,
    queue: Queue,
}

impl Watcher {
    pub(super) fn new(responses: Responses, kv: KvClient, shared: &Shared) -> Self {
        let created_at = responses.created.revision();
        let prefix = shared.companions.places().companions().cloned();
        Self {
            responses,
            changes: Arc::new(Changes::new(shared, created_at)),
            lookup: prefix.map(|prefix| Lookup::new(kv, prefix)),
            are_wanted: true,
            companions: Arc::clone(&shared.companions),
            queue: Queue::new(),
        }
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
        self.are_wanted = false;
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
        if !self.responses.cancel() {
            return Ok(());
        }
        self.responses.created.stream.cancel(id).await
    }

    /// The server's id of the watch.
    #[must_use]
    pub const fn watch_id(&self) -> i64 {
        self.created().watch_id()
    }

    /// The response that created the watch; the last one, if it was resumed. Its header has the
    /// revision at which it began.
    #[must_use]
    pub const fn created(&self) -> &WatchResponse {
        &self.responses.created.response
    }

    /// After an error: the oldest revision that the server still has, if the watch asked for an
    /// older one.
    #[must_use]
    pub const fn compact_revision(&self) -> Option<i64> {
        self.responses.compact_revision
    }

    /// How many times the watch was lost and resumed, if it is one that
    /// [resumes](crate::Client::watch_resuming).
    #[must_use]
    pub fn times_resumed(&self) -> u64 {
        self.responses.times_resumed()
    }

    fn poll_change(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Received<Event>, Error>>> {
        self.read_responses(cx);
        let next = ready!(self.queue.poll_next(self.lookup.as_ref(), cx));
        if let Some((event, cause)) = next {
            return Poll::Ready(Some(Ok(self.changes.receive(event, cause))));
        }
        self.responses.end().map(|error| error.map(Err))
    }

    /// Takes in responses while there is room, so that causes are read ahead.
    fn read_responses(&mut self, cx: &mut Context<'_>) {
        while !self.queue.is_full() {
            let Poll::Ready(Some(Taken { response, repeated })) = self.responses.poll_next(cx)
            else {
                return;
            };
            let events = response.events().get(repeated..).unwrap_or_default();
            let aside = self.responses.aside.as_deref();
            let places = self.companions.places();
            let sources = Sources::new(events, places, aside, self.are_wanted);
            self.queue.accept(events, &sources);
            if let Some(aside) = aside {
                // What belongs to nothing in this response belongs to nothing.
                aside.clear();
            }
        }
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
