mod publish;
mod request;
mod request_stream;
mod subscribe;
mod traits;

use crate::send::Size;
use crate::settings::Settings;
use crate::subject::Subjects;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Propagation, Trust};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::ops::Deref;
use std::sync::Arc;

/// An [`async_nats::Client`] that carries trace context. Cheap to clone.
///
/// Reads as the client itself, so that what has no part in tracing (`flush`, `drain`,
/// `server_info`, `new_inbox`) is there as ever. The methods here hide those of the same name.
/// Code that is generic over async-nats' [`traits`](async_nats::client::traits), or over a `Sink`
/// of messages, is traced as well when it is given this client. What takes an
/// [`async_nats::Client`] itself sends no context: see [without this client](crate#without-this-client).
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
    settings: Arc<Settings>,
}

impl Client {
    /// Wraps `client`, with the global tracer provider and propagation.
    ///
    /// Asks the client once whether the server supports headers; where that is not known yet
    /// (`retry_on_initial_connect`) it is taken to.
    pub fn new(client: async_nats::Client) -> Self {
        let settings = Settings {
            instrumentation: Instrumentation::global(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ),
            trust: Trust::default(),
            relation: RelationRule::default(),
            subjects: Subjects::new(&client.new_inbox()),
            supports_headers: client.try_server_info().is_none_or(|info| info.headers),
        };
        Self {
            inner: client,
            settings: Arc::new(settings),
        }
    }

    /// Takes the tracer from `provider`.
    pub fn with_tracer_provider<P>(self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        self.set(|settings| {
            let instrumentation = settings.instrumentation.with_tracer_provider(provider);
            Settings {
                instrumentation,
                ..settings
            }
        })
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        self.set(|settings| {
            let instrumentation = settings.instrumentation.with_propagation(propagation);
            Settings {
                instrumentation,
                ..settings
            }
        })
    }

    /// Sets how far the subscriptions that follow trust those who publish to them. For single
    /// subjects, set it on a clone.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| Settings { trust, ..settings })
    }

    /// Sets when a message of the subscriptions that follow continues its sender's trace.
    ///
    /// A plain NATS message says neither its age nor whether it is a repetition, so that by
    /// default each continues the trace.
    pub fn with_relation(self, relation: RelationRule) -> Self {
        self.set(|settings| Settings {
            relation,
            ..settings
        })
    }

    /// Names spans after the first of these patterns that a message's subject matches, for what
    /// follows: with `orders.*`, a message to `orders.123` gives `publish orders.*`. `*` stands
    /// for one token of a subject, a `>` at the end for one or more. The subject itself stays an
    /// attribute, `messaging.destination.name`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let nats = async_nats::connect("localhost").await?;
    /// let nats = dynamo_trace_nats::Client::new(nats).with_subject_templates(["orders.*"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_subject_templates<T: Into<String>>(
        self,
        templates: impl IntoIterator<Item = T>,
    ) -> Self {
        let templates = templates.into_iter().map(|template| template.into().into());
        self.set(|settings| Settings {
            subjects: settings.subjects.clone().with_templates(templates),
            ..settings
        })
    }

    /// The client alone.
    #[must_use]
    pub fn into_inner(self) -> async_nats::Client {
        self.inner
    }

    pub(crate) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    fn set(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        let settings = change(Arc::unwrap_or_clone(self.settings));
        Self {
            settings: Arc::new(settings),
            ..self
        }
    }

    pub(crate) fn size(&self, body: usize) -> Size {
        Size {
            body,
            max: self.inner.max_payload(),
        }
    }
}

impl Deref for Client {
    type Target = async_nats::Client;

    fn deref(&self) -> &async_nats::Client {
        &self.inner
    }
}
