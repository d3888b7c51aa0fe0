use crate::propagation::Propagation;
use crate::span::SpanGuard;
use crate::w3c::Flags;
use opentelemetry::global;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope};
use std::fmt;
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
    tracer: OnceLock<Arc<Resolved>>,
    propagation: OnceLock<Propagation>,
}

/// How much of a span is worth building before the sampler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The name and the attributes that a sampler may look at.
    Full,
    /// The name alone: the parent is not sampled. A sampler that would record below such a parent
    /// for the sake of an attribute does not see it.
    Name,
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
        handles.tracer = OnceLock::from(Arc::new(Resolved::new(tracer)));
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
        self.start_with(parent.clone(), |_| builder)
    }

    /// Like [`start`](Self::start), for hot paths: `build` is called only if there is an SDK, and
    /// told how much it is worth to build.
    pub fn start_with(
        &self,
        parent: Context,
        build: impl FnOnce(Detail) -> SpanBuilder,
    ) -> SpanGuard {
        let resolved = self.0.tracer.get_or_init(|| {
            let tracer = global::tracer_with_scope(self.0.scope.clone());
            Arc::new(Resolved::new(tracer))
        });
        if resolved.is_noop {
            return SpanGuard::not_recording(parent);
        }
        let detail = match parent.span().span_context() {
            known if known.is_valid() && !known.is_sampled() => Detail::Name,
            _ => Detail::Full,
        };
        resolved.tracer.start(build(detail), parent)
    }
}

struct Resolved {
    tracer: Box<dyn StartSpan>,
    is_noop: bool,
}

impl Resolved {
    fn new<T>(tracer: T) -> Self
    where
        T: Tracer<Span: Send + Sync + 'static> + Send + Sync + 'static,
    {
        Self {
            is_noop: is_noop(&tracer),
            tracer: Box::new(tracer),
        }
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("is_noop", &self.is_noop)
            .finish_non_exhaustive()
    }
}

/// A tracer of any type. Its span goes into the context as it is, where OpenTelemetry's own
/// [`BoxedTracer`](global::BoxedTracer) boxes it first.
trait StartSpan: Send + Sync {
    fn start(&self, builder: SpanBuilder, parent: Context) -> SpanGuard;
}

impl<T> StartSpan for T
where
    T: Tracer<Span: Send + Sync + 'static> + Send + Sync,
{
    fn start(&self, builder: SpanBuilder, parent: Context) -> SpanGuard {
        let span = self.build_with_context(builder, &parent);
        if span.is_recording() {
            return SpanGuard::recording(parent.with_span(span));
        }
        let own = span.span_context();
        let ids = {
            let inherited = parent.span();
            let inherited = inherited.span_context();
            let is_new = own.is_valid() && own.span_id() != inherited.span_id();
            is_new.then(|| keep_random_flag(own, inherited))
        };
        SpanGuard::not_recording(match ids {
            // No span to hold: its ids are enough, for half of the allocations.
            Some(ids) => parent.with_remote_span_context(ids),
            None => parent,
        })
    }
}

/// Whether the tracer is OpenTelemetry's own no-op, which a process has that installed no SDK:
/// it hands on the parent even where telemetry is suppressed and an SDK starts nothing.
fn is_noop(tracer: &impl Tracer) -> bool {
    let parent = SpanContext::new(
        TraceId::from_bytes([1; 16]),
        SpanId::from_bytes([1; 8]),
        TraceFlags::NOT_SAMPLED,
        true,
        TraceState::NONE,
    );
    let suppressed = Context::new().with_telemetry_suppressed();
    let suppressed = suppressed.with_remote_span_context(parent.clone());
    let probe = tracer.build_with_context(SpanBuilder::default(), &suppressed);
    !probe.is_recording() && *probe.span_context() == parent
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
