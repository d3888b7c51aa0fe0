//! Extraction and injection, on any carrier, with or without an OpenTelemetry SDK.
//!
//! Extraction reads strictly by the specification and never fails: bad input counts in
//! [`Rejected`] and means a new root. Injection sends nothing for an invalid context, replaces
//! the fields on a reused carrier, and never sends an empty `tracestate`.

mod baggage;
pub(crate) mod budget;
pub(crate) mod kept;
mod otel;
mod rejected;
mod remote;
mod trace_context;

pub use rejected::Rejected;
pub use remote::Remote;

use crate::carrier::{AsExtractor, AsInjector, Carrier, CarrierMut, Field};
use crate::trust::{ParentTrust, Trust};
use budget::Budget;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanContext, TraceContextExt, TraceId};
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

static GLOBAL: OnceLock<Propagation> = OnceLock::new();
static DEFAULT: LazyLock<Propagation> = LazyLock::new(Propagation::w3c);

/// A propagation format.
#[derive(Clone)]
#[non_exhaustive]
pub enum Format {
    /// W3C Trace Context Level 2: `traceparent` and `tracestate`.
    TraceContext,
    /// W3C Baggage: `baggage`.
    Baggage,
    /// Any OpenTelemetry propagator, such as B3, Jaeger or X-Ray.
    Other(Arc<dyn TextMapPropagator + Send + Sync>),
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TraceContext => f.write_str("TraceContext"),
            Self::Baggage => f.write_str("Baggage"),
            Self::Other(other) => other.fmt(f),
        }
    }
}

/// The formats that a process reads and writes. Cheap to clone.
///
/// Works on every [`Carrier`], and as an OpenTelemetry [`TextMapPropagator`].
#[derive(Clone, Debug)]
pub struct Propagation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    formats: Vec<Format>,
    fields: Vec<String>,
    /// Nothing but W3C's formats.
    only_w3c: bool,
    random_trace_id: fn(TraceId) -> bool,
}

impl Propagation {
    /// W3C Trace Context and Baggage.
    #[must_use]
    pub fn w3c() -> Self {
        Self::of([Format::TraceContext, Format::Baggage])
    }

    /// These formats. In extraction a later one that finds a context wins.
    #[must_use]
    pub fn of(formats: impl IntoIterator<Item = Format>) -> Self {
        let formats: Vec<_> = formats.into_iter().collect();
        let own = |fields: &[Field<'_>]| fields.iter().map(|f| f.name().to_owned()).collect();
        let fields = formats.iter().flat_map(|format| -> Vec<String> {
            match format {
                Format::TraceContext => own(&[Field::TraceParent, Field::TraceState]),
                Format::Baggage => own(&[Field::Baggage]),
                Format::Other(other) => other.fields().map(str::to_owned).collect(),
            }
        });
        Self(Arc::new(Inner {
            fields: fields.collect(),
            only_w3c: !formats.iter().any(|f| matches!(f, Format::Other(_)))
                && formats.iter().any(|f| matches!(f, Format::TraceContext)),
            formats,
            random_trace_id: |_| false,
        }))
    }

    /// Sets how to tell that a trace-id was generated in this process with at least its
    /// right-most 7 bytes random; injection then sets the random flag (Level 2, 3.2.2.5.2).
    /// Without it a root of this process never has the flag.
    #[must_use]
    pub fn random_trace_ids(self, made_here: fn(TraceId) -> bool) -> Self {
        Self(Arc::new(Inner {
            formats: self.0.formats.clone(),
            fields: self.0.fields.clone(),
            only_w3c: self.0.only_w3c,
            random_trace_id: made_here,
        }))
    }

    /// What [`set_global`](Self::set_global) installed, else [`w3c`](Self::w3c).
    #[must_use]
    pub fn global() -> &'static Self {
        GLOBAL.get().unwrap_or(&DEFAULT)
    }

    /// Makes this the propagation of every adapter that is not given one. Adapters that found no
    /// SDK before look for one again: install the tracer provider first.
    ///
    /// # Errors
    ///
    /// Gives the propagation back if there is a global one already.
    pub fn set_global(self) -> Result<(), Self> {
        GLOBAL.set(self)
    }

    pub(crate) fn is_global_set() -> bool {
        GLOBAL.get().is_some()
    }

    /// The fields that injection may set.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.fields.iter().map(String::as_str)
    }

    /// Reads what a trusted carrier holds into a context upon `cx`. What the carrier does not
    /// hold, or holds in an invalid form, leaves `cx` as it is.
    #[must_use]
    pub fn extract<C: Carrier>(&self, cx: &Context, carrier: &C) -> Context {
        self.remote(carrier, &Trust::trusted()).attach_to(cx)
    }

    /// Reads what the carrier holds, as far as it is trusted.
    #[must_use]
    pub fn remote<C: Carrier>(&self, carrier: &C, trust: &Trust) -> Remote {
        let mut remote = Remote::default();
        if trust.parent() == ParentTrust::Ignore && !trust.takes_baggage() {
            return remote;
        }
        let mut budget = Budget::new(trust.budget());
        for format in &self.0.formats {
            match format {
                Format::TraceContext => {
                    let made_here = self.0.random_trace_id;
                    trace_context::extract(carrier, &mut budget, made_here, &mut remote);
                }
                Format::Baggage if trust.takes_baggage() => {
                    baggage::extract(carrier, trust, &mut budget, &mut remote);
                }
                Format::Baggage => {}
                Format::Other(other) => {
                    let extractor = AsExtractor::new(carrier, &budget);
                    let found = other.extract_with_context(&Context::new(), &extractor);
                    remote.merge(&found, trust);
                }
            }
        }
        remote.limit_to(trust.parent());
        remote
    }

    /// Reads what a carrier holds into a context upon `cx`, as [`remote`](Self::remote) and
    /// [`Remote::attach_to`] do, and tells the sender's span where it is only to be linked. Most
    /// carriers hold a `traceparent` and nothing else: that is quick.
    ///
    /// Where a span of this process is current in `cx` that belongs to the sender's trace, it is
    /// the parent: a boundary inside of another for the same request.
    ///
    /// With any other trust than [`Trust::trusted`] the [fields](Self::fields) are removed from the
    /// carrier once they are read: who copies it must not pass on what was refused here.
    ///
    /// The random flag is not kept beside a lone `traceparent`, as the SDK keeps it for spans that
    /// record, and [`Instrumentation`](crate::Instrumentation) for those that do not. A span of the
    /// user's own that a sampler drops below one that records, against its parent, is sent without.
    #[must_use]
    pub fn receive<C: CarrierMut>(
        &self,
        cx: &Context,
        carrier: &mut C,
        trust: &Trust,
    ) -> (Context, Option<Vec<Link>>) {
        if self.0.only_w3c
            && *trust == Trust::trusted()
            && let Some(found) = carrier.find_w3c()
            && !found.more
        {
            let Some(traceparent) = found.traceparent else {
                return (cx.clone(), None);
            };
            let made_here = self.0.random_trace_id;
            let read = trace_context::read_alone(traceparent, made_here);
            if let Some(span) = read.filter(|_| !kept::is_in(cx)) {
                let context = match is_inside(cx, &span) {
                    true => cx.clone(),
                    false => cx.with_remote_span_context(span),
                };
                return (context, None);
            }
        }
        self.receive_all(cx, carrier, trust)
    }

    // Apart, so that what is quick needs no room for it.
    #[inline(never)]
    fn receive_all<C: CarrierMut>(
        &self,
        cx: &Context,
        carrier: &mut C,
        trust: &Trust,
    ) -> (Context, Option<Vec<Link>>) {
        let remote = self.remote(carrier, trust);
        let link = remote.is_link_only().then(|| remote.to_link()).flatten();
        if *trust != Trust::trusted() {
            for name in self.fields() {
                carrier.remove_field(Field::named(name));
            }
        }
        let inside = remote
            .span_context()
            .is_some_and(|span| is_inside(cx, span));
        let context = if inside {
            cx.clone()
        } else {
            remote.attach_to(cx)
        };
        (context, link.map(|link| vec![link]))
    }

    /// Writes the context of `cx`, replacing what the carrier has. Without a valid span context
    /// and without baggage it touches nothing.
    pub fn inject<C: CarrierMut>(&self, cx: &Context, carrier: &mut C) {
        for format in &self.0.formats {
            self.inject_format(format, cx, carrier);
        }
    }

    /// Writes the context of `cx` unless the carrier has one already: a message keeps the
    /// creation context, and the baggage, that its author gave it. Tells whether it wrote.
    pub fn inject_if_absent<C: CarrierMut>(&self, cx: &Context, carrier: &mut C) -> bool {
        if self.has_context(carrier) {
            return false;
        }
        let has_baggage = carrier.values_of(Field::Baggage).next().is_some();
        for format in &self.0.formats {
            if !(has_baggage && matches!(format, Format::Baggage)) {
                self.inject_format(format, cx, carrier);
            }
        }
        true
    }

    /// Whether the carrier has a context, valid or not, in one of the formats. Baggage alone is
    /// none.
    #[must_use]
    pub fn has_context<C: Carrier>(&self, carrier: &C) -> bool {
        let present = |field| carrier.values_of(field).next().is_some();
        self.0.formats.iter().any(|format| match format {
            Format::TraceContext => present(Field::TraceParent),
            Format::Baggage => false,
            Format::Other(other) => other.fields().any(|name| present(Field::named(name))),
        })
    }

    fn inject_format<C: CarrierMut>(&self, format: &Format, cx: &Context, carrier: &mut C) {
        match format {
            Format::TraceContext => trace_context::inject(cx, self.0.random_trace_id, carrier),
            Format::Baggage => baggage::inject(cx, carrier),
            Format::Other(other) => other.inject_context(cx, &mut AsInjector(carrier)),
        }
    }
}

/// Whether the current span of `cx` is one of this process, in the trace of `caller`.
fn is_inside(cx: &Context, caller: &SpanContext) -> bool {
    let span = cx.span();
    let span = span.span_context();
    span.is_valid() && !span.is_remote() && span.trace_id() == caller.trace_id()
}

/// Whether injection from `cx` stands for a span, so that stale fields have to go.
fn has_span(cx: &Context) -> bool {
    cx.span().span_context().is_valid()
}
