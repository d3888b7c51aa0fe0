//! The client: etcd-client's, on a channel that is traced.

mod auth;
mod builder;
mod cluster;
mod contexts;
mod election;
mod found;
mod kv;
mod lease;
mod lock;
mod maintenance;
mod roles;
mod sweep;
mod users;

pub use builder::ClientBuilder;
pub use found::Found;
pub use sweep::{Sweep, Swept};

use crate::channel::{KeepAliveFailures, KeepAlives};
use crate::companion::{Companions, Prefix};
use crate::watch::{self, Watcher};
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Trust};
use etcd_client::{ConnectOptions, Error, WatchOptions};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// An etcd client whose calls are spans and whose puts carry their context.
///
/// It is [`etcd_client::Client`], connected through a traced channel: it derefs to that, so is
/// passed on where a `&mut etcd_client::Client` is wanted. The clients that
/// [`kv_client`](etcd_client::Client::kv_client),
/// [`lease_client`](etcd_client::Client::lease_client) and their like hand out are traced as
/// well, and so is [`into_inner`](Self::into_inner), for code that wants the original type.
/// Only [`watch`](Self::watch) differs. See the [crate](crate) documentation for spans and what
/// is written.
///
/// Cheap to clone; its methods take `&self`.
///
/// Spans name the server while there is one endpoint, also after
/// [`add_endpoint`](etcd_client::Client::add_endpoint) and
/// [`remove_endpoint`](etcd_client::Client::remove_endpoint): of several it is not known which one
/// takes a call. A channel of one's own is not known at all.
///
/// # Errors
///
/// All methods return what etcd-client's return, with two exceptions: a response above 64 MiB to a
/// write that has companions, or to a call that may give envelopes, is refused; and of a user whom
/// etcd knows by a client certificate alone, etcd 3.4 checks less in the transaction that writes a
/// companion than in the put (see the [crate](crate) documentation).
///
/// # Cancel safety
///
/// A call that is dropped ends its span as cancelled. As with etcd-client, it may have been
/// carried out all the same; key and companion are always written together or not at all.
#[derive(Clone)]
pub struct Client {
    inner: etcd_client::Client,
    shared: Arc<Shared>,
}

/// What a client's watches need.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) instrumentation: Instrumentation,
    pub(crate) trust: Trust,
    pub(crate) relation: RelationRule,
    pub(crate) companions: Arc<Companions>,
    pub(crate) keep_alives: Arc<KeepAlives>,
}

impl Client {
    /// The prefix of companion keys, if not said otherwise.
    pub const DEFAULT_COMPANION_PREFIX: &str = Prefix::DEFAULT;

    /// Connects to the servers at `endpoints`, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect`].
    pub async fn connect<E: AsRef<str>, S: AsRef<[E]>>(
        endpoints: S,
        options: Option<ConnectOptions>,
    ) -> Result<Self, Error> {
        Self::builder().connect(endpoints, options).await
    }

    /// The global tracer provider and propagation, trusted writers, companions under
    /// [`DEFAULT_COMPANION_PREFIX`](Self::DEFAULT_COMPANION_PREFIX).
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Watches a key, or a range of keys by the options: `Watch`, a span of the creation alone.
    /// Completes when the server has created the watch: no change from then on is missed.
    ///
    /// # Errors
    ///
    /// [`Error::WatchError`] if the server refuses the watch, with its reason; else as
    /// [`put`](Self::put).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the watch.
    pub async fn watch(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<WatchOptions>,
    ) -> Result<Watcher, Error> {
        watch::watch(&self.inner, &self.shared, key.into(), options).await
    }

    /// How many writes of this client and its clones went without companions, since the server
    /// refuses those, or has done so time after time, or since the transaction would have been too
    /// long. One of the numbers of [`lost_contexts`](Self::lost_contexts).
    #[must_use]
    pub fn companions_left_out(&self) -> u64 {
        self.lost_contexts().companions_left_out
    }

    /// What went wrong when leases were kept alive, by this client and its clones.
    #[must_use]
    pub fn keep_alive_failures(&self) -> KeepAliveFailures {
        self.shared.keep_alives.failures()
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// etcd-client's own type, still traced and still writing companions.
    #[must_use]
    pub fn into_inner(self) -> etcd_client::Client {
        self.inner
    }
}

impl Deref for Client {
    type Target = etcd_client::Client;

    fn deref(&self) -> &etcd_client::Client {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut etcd_client::Client {
        &mut self.inner
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
