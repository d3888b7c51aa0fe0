//! Instances under a prefix, as a live map and as changes.
//!
//! - `watch`: what is there is read ([`found`]), the watch begins behind it, a task is spawned.
//! - the task ([`follow`]): brings the map up to date with each event, and takes down the change
//!   ([`log`]). When the watch ends it reads again, and the differences ([`diff`]) are the changes
//!   ([`catch_up`]).
//! - `next`: hands the changes on. Who fell too far behind gets the differences between what was
//!   handed on last and the map.

mod catch_up;
mod consumer;
mod diff;
mod follow;
mod found;
mod instance;
mod log;
mod reader;
mod source;

pub use instance::{Change, Instance};
pub use reader::{Reader, Snapshot};
pub use source::WatchInstances;

use crate::{Client, Received};
use consumer::Spans;
use diff::diff;
use futures_core::Stream;
use log::Log;
use reader::Map;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// The instances under a prefix: a live map of them, and what changes. Made by
/// [`watch`](Self::watch).
///
/// It reads as its [`Reader`], the map. That is kept up to date by a task on tokio, whether or not
/// the changes are taken, for as long as this or a reader lives.
///
/// The changes begin with a [`Change::Joined`] for each instance that was there already, in the
/// order in which they were put, and follow one another as etcd has them. An instance that is
/// registered anew after it vanished leaves, and joins.
///
/// When the watch breaks, is cancelled by the server, or has been overtaken by a compaction, the
/// task tries again, after 100 ms and then less often, down to every 5 s: it reads what is there
/// and goes on with what differs, so that no change is told twice, and none that lasted is lost.
/// A connection that dies without a word is noticed with the keep-alive of
/// [`ConnectOptions`](etcd_client::ConnectOptions) alone.
///
/// In memory is the map, with every key and value once, and up to 1,024 changes that were not
/// taken. Who falls further behind gets the differences as well.
///
/// [`process`](Received::process) starts the span of a change: CONSUMER, named `process instance`,
/// or `process {destination}` after [`with_destination`](WatchInstances::with_destination).
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
pub struct Instances {
    reader: Reader,
    log: Arc<Log>,
    /// Rings when there may be something in the log.
    bell: mpsc::Receiver<()>,
    spans: Arc<Spans>,
    /// As of the last change that was taken from the log.
    seen: Map,
    /// Differences that are still to be handed on.
    differences: VecDeque<Change>,
}

impl Instances {
    /// Watches the keys that begin with `prefix`, on a clone of the client: await the result.
    ///
    /// ```no_run
    /// use dynamo_trace_etcd::{Client, discovery::Instances};
    ///
    /// # async fn example(etcd: &Client) -> Result<(), dynamo_trace_etcd::Error> {
    /// let instances = Instances::watch(etcd, "instances/").await?.reader();
    /// if let Some(worker) = instances.get("instances/worker-1") {
    ///     println!("{:?}", worker.value());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(etcd: &Client, prefix: impl Into<Vec<u8>>) -> WatchInstances {
        WatchInstances::new(etcd.clone(), prefix.into())
    }

    /// The map alone, cheap to clone. It stays up to date without this.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The next change. `None` only when the runtime has shut down the task.
    pub async fn next(&mut self) -> Option<Received<Change>> {
        poll_fn(|cx| self.poll_change(cx)).await
    }

    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received<Change>>> {
        loop {
            if let Some(change) = self.take() {
                return Poll::Ready(Some(change));
            }
            if ready!(self.bell.poll_recv(cx)).is_none() {
                return Poll::Ready(self.take());
            }
        }
    }

    fn take(&mut self) -> Option<Received<Change>> {
        if let Some(change) = self.differences.pop_front() {
            return Some(self.spans.of_old(change));
        }
        let now = match self.log.take() {
            Ok(change) => {
                let change = change?;
                change.apply_to(&mut self.seen);
                return Some(change);
            }
            // Read before it is let go of.
            Err(_overflowed) => self.reader.snapshot(),
        };
        self.differences = diff(&self.seen, &now).into();
        self.seen = Map::clone(&now);
        let change = self.differences.pop_front()?;
        Some(self.spans.of_old(change))
    }
}

impl Deref for Instances {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Stream for Instances {
    type Item = Received<Change>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_change(cx)
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}
