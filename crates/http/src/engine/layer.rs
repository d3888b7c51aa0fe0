use super::filter::Filter;
use super::{RequestHead, Semantics, Side, Trace};
use dynamo_trace_core::{Instrumentation, Propagation, Trust};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::marker::PhantomData;
use std::sync::Arc;
use tower_layer::Layer;

/// Wraps services in [`Trace`].
///
/// By default it uses the global tracer provider and propagation, resolved on the first request
/// and kept from then on, and trusts its callers. Without an SDK it records nothing, and passes
/// on what came in.
///
/// `D` is the [`Side`] of the call, `M` the [`Semantics`] of the protocol.
///
/// Cheap to clone: routers do so for every request.
#[derive(Clone, Debug)]
#[must_use]
pub struct TraceLayer<D, M> {
    pub(super) settings: Arc<Settings<M>>,
    side: PhantomData<D>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings<M> {
    pub(super) instrumentation: Instrumentation,
    pub(super) trust: Trust,
    pub(super) semantics: M,
    pub(super) filter: Option<Filter>,
}

impl<D: Side, M: Semantics> TraceLayer<D, M> {
    /// A layer with the protocol's default semantics.
    pub fn new() -> Self
    where
        M: Default,
    {
        Self::with_semantics(M::default())
    }

    /// A layer with these semantics.
    pub fn with_semantics(semantics: M) -> Self {
        let (name, version) = M::SCOPE;
        let settings = Settings {
            instrumentation: Instrumentation::global(name, version),
            trust: Trust::default(),
            semantics,
            filter: None,
        };
        Self {
            settings: Arc::new(settings),
            side: PhantomData,
        }
    }

    /// Takes the tracer from this provider.
    pub fn with_tracer_provider<P>(self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        self.with(|settings| Settings {
            instrumentation: settings.instrumentation.with_tracer_provider(provider),
            ..settings
        })
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        self.with(|settings| Settings {
            instrumentation: settings.instrumentation.with_propagation(propagation),
            ..settings
        })
    }

    /// Sets how far callers are trusted. Of use on the server side only: a client has no
    /// caller.
    ///
    /// With any other trust than [`Trust::trusted`] the
    /// [fields of the propagation](Propagation::fields) are removed from the request once they
    /// are read: what is refused here does not go on where a handler copies the headers of its
    /// request, as a reverse proxy does. What is let in is in the current context.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.with(|settings| Settings { trust, ..settings })
    }

    /// Only requests for which `wanted` is true get a span. The others are passed on with the
    /// context they came with, so that what they cause stays in the caller's trace; a trace does
    /// not begin with them.
    ///
    /// ```
    /// use dynamo_trace_http::ServerLayer;
    ///
    /// let layer = ServerLayer::new().with_filter(|request| request.uri.path() != "/health");
    /// ```
    pub fn with_filter(
        self,
        wanted: impl Fn(RequestHead<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let filter = Some(Filter(Arc::new(wanted)));
        self.with(|settings| Settings { filter, ..settings })
    }

    fn with(self, change: impl FnOnce(Settings<M>) -> Settings<M>) -> Self {
        let settings = change(Arc::unwrap_or_clone(self.settings));
        Self {
            settings: Arc::new(settings),
            side: PhantomData,
        }
    }
}

impl<D: Side, M: Semantics + Default> Default for TraceLayer<D, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, D: Side, M: Semantics> Layer<S> for TraceLayer<D, M> {
    type Service = Trace<S, D, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Trace::new(inner, self.clone())
    }
}
