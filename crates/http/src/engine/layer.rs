use super::filter::{Filter, TrustBy};
#[cfg(feature = "metrics")]
use super::metrics::Meters;
use super::settings::TrustPolicy;
use super::side::Server;
use super::{Configured, Custom, Defaults, RequestHead, Semantics, Settings, Side, Trace};
use dynamo_trace_core::{Propagation, Trust};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use tower_layer::Layer;

/// Wraps services in [`Trace`].
///
/// By default it uses the global tracer provider and propagation, resolved on the first request
/// and kept from then on, and trusts its callers. Without an SDK it records nothing, and passes
/// on what came in.
///
/// `D` is the [`Side`] of the call, `M` the [`Semantics`] of the protocol, `C` has the settings:
/// [`Defaults`], which take no memory, or [`Custom`] ones after any `with_`.
///
/// Cheap to clone: routers do so for every request.
#[derive(Debug)]
#[must_use]
pub struct TraceLayer<D, M, C = Defaults> {
    config: C,
    kind: PhantomData<fn() -> (D, M)>,
}

// Not derived: neither `D` nor `M` has to be anything.
impl<D, M, C: Clone> Clone for TraceLayer<D, M, C> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            kind: PhantomData,
        }
    }
}

/// A layer as its services see it: the boundary that requests cross.
pub trait Boundary: Clone + fmt::Debug + Send + Sync + 'static {
    /// The side of the call.
    type Side: Side;
    /// What the protocol's conventions say.
    type Semantics: Semantics;

    /// What the layer works with.
    fn settings(&self) -> &Settings<Self::Semantics>;
}

impl<D: Side, M: Semantics, C: Configured<M>> Boundary for TraceLayer<D, M, C> {
    type Side = D;
    type Semantics = M;

    fn settings(&self) -> &Settings<M> {
        self.config.settings()
    }
}

impl<D: Side, M: Semantics> TraceLayer<D, M> {
    /// A layer with the protocol's default semantics.
    pub const fn new() -> Self {
        Self {
            config: Defaults,
            kind: PhantomData,
        }
    }
}

impl<D: Side, M: Semantics> TraceLayer<D, M, Custom<M>> {
    /// A layer with these semantics.
    pub fn with_semantics(semantics: M) -> Self {
        Self::custom(Settings::new(semantics))
    }

    fn custom(settings: Settings<M>) -> Self {
        Self {
            config: Custom(Arc::new(settings)),
            kind: PhantomData,
        }
    }
}

impl<D: Side, M: Semantics, C: Configured<M>> TraceLayer<D, M, C> {
    /// Takes the tracer from this provider.
    pub fn with_tracer_provider<P>(self, provider: &P) -> TraceLayer<D, M, Custom<M>>
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
    pub fn with_propagation(self, propagation: Propagation) -> TraceLayer<D, M, Custom<M>> {
        self.with(|settings| Settings {
            instrumentation: settings.instrumentation.with_propagation(propagation),
            ..settings
        })
    }

    /// Only requests for which `wanted` is true get a span and are measured. The others are
    /// passed on with the context they came with, so that what they cause stays in the caller's
    /// trace; a trace does not begin with them.
    ///
    /// A server that does not trust its callers has removed the propagation's fields by then.
    ///
    /// ```
    /// use dynamo_trace_http::ServerLayer;
    ///
    /// let layer = ServerLayer::new().with_filter(|request| request.uri.path() != "/health");
    /// ```
    pub fn with_filter(
        self,
        wanted: impl Fn(RequestHead<'_>) -> bool + Send + Sync + 'static,
    ) -> TraceLayer<D, M, Custom<M>> {
        let filter = Some(Filter(Arc::new(wanted)));
        self.with(|settings| Settings { filter, ..settings })
    }

    /// Measures durations and active requests, with the global meter provider as it is at the
    /// first call, whatever is sampled. Requests that are filtered out are not measured.
    ///
    /// | side | instrument | unit |
    /// |---|---|---|
    /// | HTTP | `http.server.request.duration`, `http.client.request.duration` | `s` |
    /// | HTTP server | `http.server.active_requests` | `{request}` |
    /// | gRPC | `rpc.server.call.duration`, `rpc.client.call.duration` | `s` |
    ///
    /// A duration is that of the span, and has its `error.type` and
    /// [ending](dynamo_trace_core::span::attributes::ENDING). What callers choose freely is no
    /// attribute.
    #[cfg(feature = "metrics")]
    pub fn with_metrics(self) -> TraceLayer<D, M, Custom<M>> {
        self.with(|settings| Settings {
            meters: Meters::of(scope::<M>(), None),
            ..settings
        })
    }

    /// Measures as [`with_metrics`](Self::with_metrics) does, with this meter provider.
    #[cfg(feature = "metrics")]
    pub fn with_meter_provider(
        self,
        provider: &dyn opentelemetry::metrics::MeterProvider,
    ) -> TraceLayer<D, M, Custom<M>> {
        let meter = provider.meter_with_scope(scope::<M>());
        self.with(|settings| Settings {
            meters: Meters::of(scope::<M>(), Some(meter)),
            ..settings
        })
    }

    pub(super) fn with(
        self,
        change: impl FnOnce(Settings<M>) -> Settings<M>,
    ) -> TraceLayer<D, M, Custom<M>> {
        TraceLayer::custom(change(self.config.into_settings()))
    }

    pub(crate) fn with_changed(self, change: impl FnOnce(&mut M)) -> TraceLayer<D, M, Custom<M>> {
        self.with(|mut settings| {
            change(&mut settings.semantics);
            settings
        })
    }
}

impl<M: Semantics, C: Configured<M>> TraceLayer<Server, M, C> {
    /// Sets how far callers are trusted.
    ///
    /// With any other trust than [`Trust::trusted`] the
    /// [fields of the propagation](Propagation::fields) are removed from the request once they
    /// are read: what is refused here does not go on where a handler copies the headers of its
    /// request, as a reverse proxy does. What is let in is in the current context.
    pub fn with_trust(self, trust: Trust) -> TraceLayer<Server, M, Custom<M>> {
        let trust = TrustPolicy::All(trust);
        self.with(|settings| Settings { trust, ..settings })
    }

    /// Sets how far the caller of each request is trusted, as with
    /// [`with_trust`](Self::with_trust).
    ///
    /// ```
    /// use dynamo_trace_core::Trust;
    /// use dynamo_trace_http::ServerLayer;
    ///
    /// let layer = ServerLayer::new().with_trust_by(|request| {
    ///     match request.uri.path().starts_with("/internal/") {
    ///         true => Trust::trusted(),
    ///         false => Trust::linked(),
    ///     }
    /// });
    /// ```
    pub fn with_trust_by(
        self,
        trust: impl Fn(RequestHead<'_>) -> Trust + Send + Sync + 'static,
    ) -> TraceLayer<Server, M, Custom<M>> {
        let trust = TrustPolicy::By(TrustBy(Arc::new(trust)));
        self.with(|settings| Settings { trust, ..settings })
    }
}

#[cfg(feature = "metrics")]
fn scope<M: Semantics>() -> opentelemetry::InstrumentationScope {
    let (name, version) = M::SCOPE;
    opentelemetry::InstrumentationScope::builder(name)
        .with_version(version)
        .build()
}

impl<D: Side, M: Semantics> Default for TraceLayer<D, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, D: Side, M: Semantics, C: Configured<M>> Layer<S> for TraceLayer<D, M, C> {
    type Service = Trace<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Trace::new(inner, self.clone())
    }
}
