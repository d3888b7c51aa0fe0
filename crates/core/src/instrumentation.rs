use crate::propagation::{Propagation, kept};
use crate::span::SpanGuard;
use crate::w3c::Flags;
use opentelemetry::global;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

/// What an adapter works with: a tracer and a propagation.
///
/// Both are the global ones unless given. The tracer is resolved once, on first use, so that an
/// adapter may be built before the SDK is set up; one that was used before finds the SDK all the
/// same, if [`Propagation::set_global`] was called after it was set up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Instrumentation(Arc<Handles>);

#[derive(Clone, Debug)]
struct Handles {
    scope: InstrumentationScope,
    tracer: OnceLock<Arc<dyn StartSpan>>,
    no_sdk: NoSdk,
    propagation: Option<Propagation>,
}

type Provider = dyn Fn(InstrumentationScope) -> Option<Arc<dyn StartSpan>> + Send + Sync;

static PROVIDER: OnceLock<Box<Provider>> = OnceLock::new();

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
            no_sdk: NoSdk::default(),
            propagation: None,
        }))
    }

    /// Makes `provider` that of every adapter that is not given one, for set-up: next to
    /// [`opentelemetry::global::set_tracer_provider`], which boxes every span once more. Adapters
    /// that found no SDK before look for one again once [`Propagation::set_global`] is called.
    ///
    /// # Errors
    ///
    /// Gives the provider back if there is one already.
    pub fn set_global_tracer_provider<P>(provider: P) -> Result<(), P>
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        let mut provider = Some(provider);
        PROVIDER.get_or_init(|| {
            let provider = provider.take();
            Box::new(move |scope| {
                let tracer = provider.as_ref()?.tracer_with_scope(scope);
                Some(Arc::new(tracer))
            })
        });
        provider.map_or(Ok(()), Err)
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
        (handles.tracer, handles.no_sdk) = if is_noop(&tracer) {
            (OnceLock::new(), NoSdk::given())
        } else {
            let tracer: Arc<dyn StartSpan> = Arc::new(tracer);
            (OnceLock::from(tracer), NoSdk::default())
        };
        Self(Arc::new(handles))
    }

    /// Takes this propagation.
    #[must_use]
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        let mut handles = Arc::unwrap_or_clone(self.0);
        handles.propagation = Some(propagation);
        Self(Arc::new(handles))
    }

    /// The propagation.
    #[must_use]
    pub fn propagation(&self) -> &Propagation {
        match &self.0.propagation {
            Some(given) => given,
            None => Propagation::global(),
        }
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
        let Some(tracer) = self.tracer() else {
            return SpanGuard::not_recording(parent);
        };
        let detail = match parent.span().span_context() {
            known if known.is_valid() && !known.is_sampled() => Detail::Name,
            _ => Detail::Full,
        };
        tracer.start(build(detail), parent)
    }

    /// A guard without a span, where none is wanted: what runs in `parent` stays in its trace.
    pub fn pass(&self, parent: Context) -> SpanGuard {
        let span = parent.span().span_context().clone();
        // Spans below it may be dropped by the SDK.
        let is_kept = self.tracer().is_some() && is_random(&span);
        SpanGuard::not_recording(match is_kept {
            true => kept::with_random(parent, &span),
            false => parent,
        })
    }

    /// The tracer, unless there is no SDK.
    fn tracer(&self) -> Option<&dyn StartSpan> {
        let Handles {
            scope,
            tracer,
            no_sdk,
            ..
        } = &*self.0;
        if let Some(tracer) = tracer.get() {
            return Some(&**tracer);
        }
        if no_sdk.is_known() {
            return None;
        }
        // Asked before: while this looks for an SDK one may be set up.
        let is_set_up = Propagation::is_global_set();
        if let Some(given) = PROVIDER.get().and_then(|provider| provider(scope.clone())) {
            return Some(&**tracer.get_or_init(|| given));
        }
        let found = global::tracer_with_scope(scope.clone());
        if is_noop(&found) {
            no_sdk.learn(is_set_up);
            return None;
        }
        Some(&**tracer.get_or_init(|| Arc::new(found)))
    }
}

/// Whether it is known that there is no SDK. Where an SDK is set up later, and a global
/// propagation with it, that has to be found out once more.
#[derive(Debug, Default)]
struct NoSdk(AtomicU8);

impl NoSdk {
    const BEFORE_SET_UP: u8 = 1;
    const AFTER_SET_UP: u8 = 2;
    const GIVEN: u8 = 3;

    /// The adapter was given a tracer that does nothing.
    const fn given() -> Self {
        Self(AtomicU8::new(Self::GIVEN))
    }

    fn is_known(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            Self::BEFORE_SET_UP => !Propagation::is_global_set(),
            Self::AFTER_SET_UP | Self::GIVEN => true,
            _ => false,
        }
    }

    fn learn(&self, is_set_up: bool) {
        let when = if is_set_up {
            Self::AFTER_SET_UP
        } else {
            Self::BEFORE_SET_UP
        };
        self.0.store(when, Ordering::Relaxed);
    }
}

impl Clone for NoSdk {
    fn clone(&self) -> Self {
        Self(AtomicU8::new(self.0.load(Ordering::Relaxed)))
    }
}

/// A tracer of any type. Its span goes into the context as it is, where OpenTelemetry's own
/// [`BoxedTracer`](global::BoxedTracer) boxes it first.
trait StartSpan: Send + Sync {
    fn start(&self, builder: SpanBuilder, parent: Context) -> SpanGuard;
}

impl fmt::Debug for dyn StartSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
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
            Some(ids) if is_random(&ids) => {
                kept::with_random(parent, &ids).with_remote_span_context(ids)
            }
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
    if !is_random(parent) || own.trace_id() != parent.trace_id() {
        return own.clone();
    }
    SpanContext::new(
        own.trace_id(),
        own.span_id(),
        TraceFlags::new(own.trace_flags().to_u8() | Flags::RANDOM.bits()),
        own.is_remote(),
        own.trace_state().clone(),
    )
}

fn is_random(span: &SpanContext) -> bool {
    Flags::new(span.trace_flags().to_u8()).contains(Flags::RANDOM)
}
