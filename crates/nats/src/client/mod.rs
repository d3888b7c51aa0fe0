mod headers;
mod publish;
mod request;
mod subscribe;

use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Propagation, Trust};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::ops::Deref;
use std::sync::Arc;

/// An [`async_nats::Client`] that carries trace context. Cheap to clone.
///
/// Reads as the client itself, so that what has no part in tracing (`flush`, `drain`,
/// `server_info`, `new_inbox`) is there as ever. The methods here hide those of the same name;
/// what is sent by other means, such as the client's `Sink`, carries no context.
///
/// ```no_run
/// use dynamo_trace_nats::{Client, Trust};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let nats = Client::new(async_nats::connect("localhost").await?);
/// // What strangers may publish starts traces of its own.
/// let public = nats.clone().with_trust(Trust::linked());
/// let mut uploads = public.subscribe("public.uploads").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Client {
    inner: async_nats::Client,
    instrumentation: Instrumentation,
    trust: Trust,
    relation: RelationRule,
    /// What the subjects of this client's inboxes begin with.
    inbox: Arc<str>,
    supports_headers: bool,
}

impl Client {
    /// Wraps `client`, with the global tracer provider and propagation.
    ///
    /// Asks the client once whether the server supports headers; where that is not known yet
    /// (`retry_on_initial_connect`) it is taken to.
    pub fn new(client: async_nats::Client) -> Self {
        let inbox = client.new_inbox();
        let prefix = inbox
            .rsplit_once('.')
            .map_or("_INBOX", |(prefix, _)| prefix);
        Self {
            inbox: format!("{prefix}.").into(),
            supports_headers: client.try_server_info().is_none_or(|info| info.headers),
            inner: client,
            instrumentation: Instrumentation::global(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ),
            trust: Trust::default(),
            relation: RelationRule::default(),
        }
    }

    /// Takes the tracer from `provider`.
    pub fn with_tracer_provider<P>(self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        Self {
            instrumentation: self.instrumentation.with_tracer_provider(provider),
            ..self
        }
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        Self {
            instrumentation: self.instrumentation.with_propagation(propagation),
            ..self
        }
    }

    /// Sets how far the subscriptions that follow trust those who publish to them. For single
    /// subjects, set it on a clone.
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Sets when a message of the subscriptions that follow continues its sender's trace.
    ///
    /// A plain NATS message says neither its age nor whether it is a repetition, so that by
    /// default each continues the trace.
    pub fn with_relation(self, relation: RelationRule) -> Self {
        Self { relation, ..self }
    }

    /// The client alone.
    #[must_use]
    pub fn into_inner(self) -> async_nats::Client {
        self.inner
    }

    /// The subject as a span may name it: an inbox has a random name, which says nothing.
    fn destination<'s>(&self, subject: &'s str) -> Option<&'s str> {
        (!is_inbox(subject, &self.inbox)).then_some(subject)
    }
}

impl Deref for Client {
    type Target = async_nats::Client;

    fn deref(&self) -> &async_nats::Client {
        &self.inner
    }
}

pub(crate) fn is_inbox(subject: &str, prefix: &str) -> bool {
    subject.starts_with(prefix) || subject.starts_with("_INBOX.")
}
