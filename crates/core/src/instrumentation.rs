use crate::propagation::Propagation;
use crate::span::SpanGuard;
use crate::w3c::Flags;
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, TraceContextExt, TraceFlags, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope};
use std::sync::{Arc, OnceLock};

/// What an adapter works with: a tracer and a propagation.
///
/// Both are the global ones unless given. They are resolved once, on first use, so that an
/// adapter may be built before the SDK is set up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Instrumentation(Arc<Handles>);

#[derive(Clone, Debug)]
struct Handles {
    scope: InstrumentationScope,
    tracer: OnceLock<Arc<BoxedTracer>>,
    propagation: OnceLock<Propagation>,
}

impl Instrumentation {
    /// The global tracer provider and propagation, under this instrumentation scope: the name
    /// and version of the adapter's crate.
    #[must_use]
    pub fn global(name: &'static str, version: &'static str) -> Self {
        Self(Arc::new(Handles {
            scope: InstrumentationScope::builder(name)
                .with_version(version)
                .build(),
            tracer: OnceLock::new(),
            propagation: OnceLock::new(),
        }))
    }

    /// Takes the tracer from `provider`.
    #[must_use]
    pub fn with_tracer_provider<P>(self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        let mut handles = Arc::unwrap_or_clone(self.0);
        let tracer = provider.tracer_with_scope(handles.scope.clone());
        handles.tracer = OnceLock::from(Arc::new(BoxedTracer::new(Box::new(tracer))));
        Self(Arc::new(handles))
    }

    /// Takes this propagation.
    #[must_use]
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        let mut handles = Arc::unwrap_or_clone(self.0);
        handles.propagation = OnceLock::from(propagation);
        Self(Arc::new(handles))
    }

    /// The propagation.
    #[must_use]
    pub fn propagation(&self) -> &Propagation {
        self.0.propagation.get_or_init(Propagation::global)
    }

    /// Starts a span whose parent is the current span of `parent`, and guards it.
    ///
    /// Where the tracer gives no valid span (no SDK and no parent, a provider that was shut down,
    /// suppressed telemetry), the guard's context is `parent` itself: what came in still goes
    /// out.
    pub fn start(&self, builder: SpanBuilder, parent: &Context) -> SpanGuard {
        let handles = &*self.0;
        let span = handles
            .tracer
            .get_or_init(|| Arc::new(global::tracer_with_scope(handles.scope.clone())))
            .build_with_context(builder, parent);
        if span.is_recording() {
            return SpanGuard::recording(parent.with_span(span));
        }
        let (own, inherited) = (span.span_context(), parent.span());
        let inherited = inherited.span_context();
        if !own.is_valid() || own.span_id() == inherited.span_id() {
            SpanGuard::not_recording(parent.clone())
        } else {
            // No span to hold: its ids are enough, for half of the allocations.
            let ids = keep_random_flag(own, inherited);
            SpanGuard::not_recording(parent.with_remote_span_context(ids))
        }
    }
}

/// The SDK clears the flags of a span that its sampler drops; Level 2, 3.2.2.5.2 demands that
/// the random flag of a continued trace stays.
fn keep_random_flag(own: &SpanContext, parent: &SpanContext) -> SpanContext {
    let random = Flags::RANDOM.bits() & parent.trace_flags().to_u8();
    if random == 0 || own.trace_id() != parent.trace_id() {
        return own.clone();
    }
    SpanContext::new(
        own.trace_id(),
        own.span_id(),
        TraceFlags::new(own.trace_flags().to_u8() | random),
        own.is_remote(),
        own.trace_state().clone(),
    )
}
