use super::{Client, Shared};
use crate::SCOPE;
use crate::channel::{EtcdLayer, Templates, Traced};
use crate::companion::{Companions, Prefix};
use crate::places::{Place, Places};
use crate::semantics::Etcd;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Propagation, Trust};
use etcd_client::{Channel, ConnectOptions, Error};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::sync::Arc;

/// How a [`Client`] traces. Made by [`Client::builder`].
///
/// ```no_run
/// use dynamo_trace_etcd::{Client, Trust};
///
/// # async fn example() -> Result<(), dynamo_trace_etcd::Error> {
/// let etcd = Client::builder()
///     .with_trust(Trust::linked())
///     .companion_prefix("traces/")
///     .connect(["a:2379", "b:2379", "c:2379"], None)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder {
    semantics: Etcd,
    layer: EtcdLayer,
    instrumentation: Instrumentation,
    trust: Trust,
    relation: RelationRule,
    prefix: Option<Prefix>,
    templates: Option<Templates>,
    places: Vec<(Vec<u8>, Place)>,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        let semantics = Etcd::default();
        let (name, version) = SCOPE;
        Self {
            layer: EtcdLayer::with_semantics(semantics.clone()),
            semantics,
            instrumentation: Instrumentation::global(name, version),
            trust: Trust::default(),
            relation: RelationRule::default(),
            prefix: Prefix::new(Prefix::DEFAULT.into()),
            templates: None,
            places: Vec::new(),
        }
    }

    /// Takes the tracer from this provider, not from the global one.
    pub fn with_tracer_provider<P>(mut self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        self.layer = self.layer.with_tracer_provider(provider);
        self.instrumentation = self.instrumentation.with_tracer_provider(provider);
        self
    }

    /// Takes this propagation, not the global one.
    pub fn with_propagation(mut self, propagation: Propagation) -> Self {
        self.layer = self.layer.with_propagation(propagation.clone());
        self.instrumentation = self.instrumentation.with_propagation(propagation);
        self
    }

    /// Sets how far watches trust those who write to the store. The default continues their
    /// traces. See also [`Watcher::with_trust`](crate::Watcher::with_trust).
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Sets how the span that processes a change relates to the span that wrote it. The default
    /// continues the writer's trace within
    /// [`RelationRule::DEFAULT_MAX_AGE`].
    pub const fn with_relation(mut self, relation: RelationRule) -> Self {
        self.relation = relation;
        self
    }

    /// Puts companions under this prefix; [`Client::DEFAULT_COMPANION_PREFIX`] if not said
    /// otherwise. Writers and readers have to agree on it. No key of the user's may be under it: a
    /// watch would hide all of them. An empty prefix therefore means [`without_companions`](Self::without_companions).
    pub fn companion_prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = Prefix::new(prefix.into());
        self
    }

    /// Sets where the contexts of the keys under this prefix rest. The longest prefix wins, and of
    /// the same one the later call; the empty prefix stands for all other keys, whose contexts rest
    /// in companions if not said otherwise. A transaction may have keys of several.
    ///
    /// Writers and readers have to agree on it: a reader that does not know of an
    /// [`Envelope`](Place::Envelope) takes it for a part of the value. See the
    /// [crate](crate#envelopes) documentation.
    ///
    /// ```
    /// use dynamo_trace_etcd::{Client, Place};
    ///
    /// let builder = Client::builder()
    ///     .with_context_at("instances/", Place::Envelope)
    ///     .with_context_at("instances/locks/", Place::Nowhere);
    /// # drop(builder);
    /// ```
    pub fn with_context_at(mut self, prefix: impl Into<Vec<u8>>, place: Place) -> Self {
        self.places.push((prefix.into(), place));
        self
    }

    /// Writes no companions and reads none: where no [`Envelope`](Place::Envelope) is, every call
    /// goes to etcd as it is, and watches yield changes without a context.
    pub fn without_companions(mut self) -> Self {
        self.prefix = None;
        self
    }

    /// Names spans after the first of these templates that a call's key matches: with
    /// `instances/*`, a put of `instances/7` is `Put instances/*`, and has the template as
    /// [`db.collection.name`](crate::attributes::DB_COLLECTION_NAME). Keys are on no span without
    /// it, and the key itself is on none with it.
    ///
    /// A `*` stands for any text without a `/`, at the end of the template for any text. Locks and
    /// elections have names for keys; a transaction is named where all of its operations match the
    /// same template, a range after its first key. The first message of each call is looked into
    /// for it, which costs nothing without templates.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), dynamo_trace_etcd::Error> {
    /// let etcd = dynamo_trace_etcd::Client::builder()
    ///     .with_key_templates(["instances/*", "config/*/model"])
    ///     .connect(["localhost:2379"], None)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_key_templates<T: Into<String>>(
        mut self,
        templates: impl IntoIterator<Item = T>,
    ) -> Self {
        self.templates = Templates::new(templates.into_iter().map(Into::into));
        self
    }

    /// Connects to the servers at `endpoints`, balancing between them, with etcd-client's own
    /// options: user, TLS, timeouts, keep-alive. Not with its `tls-openssl`, whose connector it
    /// gives to nobody: that connection fails.
    ///
    /// As with etcd-client, a connection is made on the first call; with a user, that is the
    /// authentication in here.
    ///
    /// # Errors
    ///
    /// What [`etcd_client::Client::connect`] returns: an endpoint that is no URI, options that do
    /// not go with it, a failed authentication.
    pub async fn connect<E: AsRef<str>, S: AsRef<[E]>>(
        self,
        endpoints: S,
        options: Option<ConnectOptions>,
    ) -> Result<Client, Error> {
        let (traced, shared) = self.build();
        let inner =
            etcd_client::Client::connect_with_balanced_channel(endpoints, options, traced).await?;
        Ok(Client { inner, shared })
    }

    /// Goes over this channel, for connections that [`connect`](Self::connect) cannot make. Of
    /// the options the channel's own (timeouts, TLS, keep-alive) have no effect.
    ///
    /// # Errors
    ///
    /// [`Error::GRpcStatus`] if the options have a user and its authentication fails.
    pub async fn connect_channel(
        self,
        channel: Channel,
        options: Option<ConnectOptions>,
    ) -> Result<Client, Error> {
        let (traced, shared) = self.build();
        let inner = etcd_client::Client::from_channel(traced.around(channel), options).await?;
        Ok(Client { inner, shared })
    }

    fn build(self) -> (Traced, Arc<Shared>) {
        let places = Places::new(self.prefix, self.places);
        let companions = Arc::new(Companions::new(self.instrumentation.clone(), places));
        let shared = Shared {
            instrumentation: self.instrumentation,
            trust: self.trust,
            relation: self.relation,
            companions: Arc::clone(&companions),
            keep_alives: Arc::default(),
        };
        let traced = Traced {
            layer: self.layer,
            companions,
            servers: self.semantics.servers,
            templates: self.templates,
            keep_alives: Arc::clone(&shared.keep_alives),
        };
        (traced, Arc::new(shared))
    }
}
