//! What a client knows of contexts in the store.

use super::found::{Finder, Found};
use super::sweep::{Sweep, Swept};
use super::{Client, watch};
use crate::aside::Aside;
use crate::counts::LostContexts;
use crate::watch::{Changes, Watcher};
use etcd_client::{Error, GetOptions, ResponseHeader, WatchOptions};
use opentelemetry::Context;
use std::sync::Arc;

impl Client {
    /// Gets a key or a range of keys, each pair with the context of who put it last: `Range`.
    ///
    /// All options work as with [`get`](Self::get). The companions come in the same RPC, of the
    /// same revision, member and consistency. If the range has a limit and is not in the order
    /// of the keys, or has orphans among its companions, there is one more RPC for each 128 pairs;
    /// those make no spans.
    ///
    /// - Contexts come with the first 1,024 pairs at most, in the order of the keys if there is no
    ///   limit: page with [`with_limit`](GetOptions::with_limit).
    /// - With [`with_keys_only`](GetOptions::with_keys_only), what is in envelopes has none: the
    ///   server does not send those.
    /// - [`process`](crate::Received::process) starts a span that links to the writer's, however fresh:
    ///   what is read is the state of the store, not a message.
    /// - A range that covers the companion prefix has the companions too, without contexts.
    ///
    /// What cannot be had is counted in [`lost_contexts`](Self::lost_contexts), and the pairs come
    /// all the same. Where range and companions together are above 64 MiB, the range alone is
    /// read once more.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// It only reads.
    pub async fn get_with_context(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<GetOptions>,
    ) -> Result<Found, Error> {
        let aside = Arc::new(Aside::default());
        let mut kv = self.inner.kv_client();
        let mut response = aside.during(kv.get(key, options)).await?;
        let kvs = response.take_kvs();
        let finder = Finder {
            companions: &self.shared.companions,
            aside: &aside,
            revision: match aside.revision() {
                0 => response.header().map_or(0, ResponseHeader::revision),
                asked_for => asked_for,
            },
        };
        let causes = quietly(finder.find(&kvs, &mut kv)).await;
        let changes = Arc::new(Changes::new(&self.shared, i64::MAX));
        let found = kvs.into_iter().zip(causes);
        let kvs = found.map(|(kv, cause)| changes.found(kv, cause)).collect();
        Ok(Found::new(response, kvs))
    }

    /// Watches as [`watch`](Self::watch) does, and goes on when the watch breaks.
    ///
    /// When the connection is lost, or the server cancels the watch, it is created once more from
    /// the revision behind the last change: nothing is lost and nothing comes twice, also if the
    /// server sends large revisions in [fragments](WatchOptions::with_fragment). It tries for as
    /// long as it takes, after pauses that double from 0.1 to 5 seconds, each shortened by up to a
    /// half at random. Each try is a span `Watch`, in the context in which the watcher is polled.
    ///
    /// It asks for progress notifications, to resume behind them. If the revision is compacted
    /// meanwhile, changes are lost: then, and when the server says that the watch may not be, the
    /// watcher ends with that error, as one that does not resume. With a user whose token may
    /// expire, connect with
    /// [`with_auto_token_refresh`](etcd_client::ConnectOptions::with_auto_token_refresh).
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch): the first watch has to be created.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the watch.
    pub async fn watch_resuming(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<WatchOptions>,
    ) -> Result<Watcher, Error> {
        watch::watch_resuming(&self.inner, &self.shared, key.into(), options).await
    }

    /// Removes companions that accompany nothing any more: see [`Sweep`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`txn`](Self::txn); of what was removed before nothing is said.
    ///
    /// # Cancel safety
    ///
    /// Every removal is a whole transaction: dropped at any time, it has done a part of its work.
    pub async fn sweep_companions(&self, sweep: Sweep) -> Result<Swept, Error> {
        let kv = self.inner.kv_client();
        sweep.run(kv, self.shared.companions.places()).await
    }

    /// Counts what this client and its clones could not write or not have of contexts.
    #[must_use]
    pub fn lost_contexts(&self) -> LostContexts {
        self.shared.companions.counts().snapshot()
    }
}

/// Without spans: it is not the application's doing.
async fn quietly<F: Future>(future: F) -> F::Output {
    let cx = Context::current().with_telemetry_suppressed();
    crate::aside::within(cx, future).await
}
