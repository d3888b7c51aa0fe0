//! Registrations.
//!
//! - `register`: a lease is granted, the key is put with it ([`place`]), a task is spawned.
//! - the task ([`task`]): keeps the lease alive ([`keep`]) and puts updates ([`order`]), until the lease is
//!   gone; then grants and puts anew.
//! - the guard ([`registered`]) is dropped, or asked to deregister: the lease is revoked, and the
//!   task ends.

mod error;
mod keep;
mod order;
mod place;
mod registered;
mod state;
mod task;

pub use error::Error;
pub use registered::Registered;
pub use state::State;

use super::within;
use crate::Client;
use crate::attributes::{DB_SYSTEM_NAME, ETCD, REGISTRATION_COUNT};
use dynamo_trace_core::SpanGuard;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind};
use opentelemetry::{Context, KeyValue};
use place::Place;
use std::borrow::Cow;
use std::time::Duration;
use task::Task;

/// An instance that is to be registered.
///
/// The key is put with a lease of its own, which is kept alive at a third of its time to live.
/// Where that fails, it is tried again, after 100 ms and then less often, down to every 5 s, until
/// the server says that the lease is gone: expired, revoked, or unknown to a server that lost its
/// data. Then a new one is granted and the value put with it, tried in the same way until that
/// succeeds. Chance shortens each pause by up to a half. A server that comes back and still has the
/// lease is no loss: the instance never leaves.
///
/// A key that exists already is overwritten and has the new lease from then on, so that a worker
/// that was restarted takes its own place back at once, where it would otherwise wait for its old
/// lease to expire. Of two instances that are alive the last one to register stands there; the
/// other does not learn of it, and its end takes nothing away.
/// [`exclusive`](Self::exclusive) is the other choice.
///
/// That the key is deleted, but not its lease, is not noticed.
#[derive(Clone, Debug)]
#[must_use = "nothing is registered before `register`"]
pub struct Registration {
    etcd: Client,
    key: Vec<u8>,
    value: Vec<u8>,
    ttl: Duration,
    exclusive: bool,
    name: Cow<'static, str>,
}

impl Registration {
    /// The time to live of the lease, if not said otherwise.
    pub const DEFAULT_TTL: Duration = Duration::from_secs(10);

    /// An instance with this key and this value, on a clone of the client.
    pub fn new(etcd: &Client, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            etcd: etcd.clone(),
            key: key.into(),
            value: value.into(),
            ttl: Self::DEFAULT_TTL,
            exclusive: false,
            name: Cow::Borrowed("register instance"),
        }
    }

    /// Sets how long the instance stays when nothing is heard of it, in whole seconds, rounded up;
    /// 10 if not said otherwise. etcd does not go below 2 with its default settings.
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Names what the instance is one of, for spans: `register {destination}`. A name or a
    /// template, such as `instances` or `instances/*`, and no key.
    pub fn with_destination(mut self, destination: impl Into<String>) -> Self {
        self.name = Cow::Owned(format!("register {}", destination.into()));
        self
    }

    /// Registers only where there is no such key, or it has this registration's lease. A user
    /// needs the right to read the key for it.
    ///
    /// The key of a worker that died stays until its lease expires, and in the way of its
    /// successor. An instance that lost its lease, and then its place, waits for the place.
    pub const fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Registers the instance and keeps it registered, by a task on tokio, until the result is
    /// dropped. One try: a server that cannot be reached now is an error.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] for an [`exclusive`](Self::exclusive) registration, and [`Error::Etcd`] as
    /// etcd answers.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the instance may or may not be registered, and if it is, vanishes when
    /// its lease expires.
    pub async fn register(self) -> Result<Registered, Error> {
        let span = self.start(1, None, &Context::current());
        let first = span.span_context();
        let mut place = Place::new(&self);
        let register = async move {
            let registered = place.claim(&self.value).await;
            if registered.is_err() {
                // Of no use to anybody; without this it would expire.
                let _ = place.leave().await;
            }
            registered.map(|()| Task::spawn(self, place, first))
        };
        let judge = |result: &Result<_, Error>| Error::ending(result.as_ref().err());
        span.run_judged(register, judge).await
    }

    /// Starts the span of the registration that is the `count`th, in `parent`.
    fn start(&self, count: i64, first: Option<&SpanContext>, parent: &Context) -> SpanGuard {
        let attributes = vec![
            KeyValue::new(DB_SYSTEM_NAME, ETCD),
            KeyValue::new(REGISTRATION_COUNT, count),
        ];
        let link = first.filter(|first| first.is_valid());
        let links = link.map(|first| Link::new(first.clone(), Vec::new(), 0));
        let mut builder = SpanBuilder::from_name(self.name.clone())
            .with_kind(SpanKind::Internal)
            .with_attributes(attributes);
        builder.links = links.map(|link| vec![link]);
        self.etcd.shared().instrumentation.start(builder, parent)
    }
}
