use super::baggage;
use super::kept::{self, KeptBaggage, KeptTrace};
use crate::trust::{ParentTrust, Trust};
use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{Link, SpanContext, TraceContextExt};

/// What a carrier held: the sender's span context and baggage, already limited by [`Trust`].
#[derive(Debug, Default)]
pub struct Remote {
    pub(super) span: Option<SpanContext>,
    pub(super) link: bool,
    /// What the SDK would lose of the span's context, if anything.
    pub(super) kept: Option<KeptTrace>,
    pub(super) baggage: Option<Baggage>,
    /// What OpenTelemetry would lose of the baggage.
    pub(super) kept_baggage: Option<KeptBaggage>,
}

impl Remote {
    /// This span, to be linked and not to be continued.
    #[must_use]
    pub fn linked(span: SpanContext) -> Self {
        Self {
            span: span.is_valid().then_some(span),
            link: true,
            ..Self::default()
        }
    }

    /// The sender's span, if the carrier held a valid one.
    #[must_use]
    pub fn span_context(&self) -> Option<&SpanContext> {
        self.span.as_ref()
    }

    /// The sender's span as a link, if there is one.
    #[must_use]
    pub fn to_link(&self) -> Option<Link> {
        let span = self.span.clone()?;
        Some(Link::new(span, Vec::new(), 0))
    }

    /// Whether trust allows the sender's span to be linked only, not continued.
    #[must_use]
    pub const fn is_link_only(&self) -> bool {
        self.link && self.span.is_some()
    }

    /// Whether the carrier held nothing of use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.span.is_none() && self.baggage.is_none()
    }

    /// The context of the work that this causes: `cx`, with the sender's span as the current
    /// remote span (unless it is to be linked only) and with its baggage.
    #[must_use]
    pub fn attach_to(self, cx: &Context) -> Context {
        let mut out = match self.span {
            Some(span) if !self.link => {
                let out = cx.with_remote_span_context(span);
                match self.kept {
                    Some(kept) => out.with_value(kept),
                    // That of an earlier parent must not count for this one.
                    None if kept::is_in(cx) => out.with_value(KeptTrace::default()),
                    None => out,
                }
            }
            _ => cx.clone(),
        };
        if let Some(kept) = self.kept_baggage {
            out = out.with_value(kept);
        }
        if let Some(baggage) = self.baggage {
            out = out.with_baggage(baggage);
        }
        out
    }

    /// As [`attach_to`](Self::attach_to), where an [`Instrumentation`](crate::Instrumentation)
    /// starts a span at once: that keeps the random flag if the SDK loses it.
    pub(crate) fn attach_to_start(mut self, cx: &Context) -> Context {
        let is_flag = |kept: &KeptTrace| kept.random && kept.tracestate.is_empty();
        if self.kept.as_ref().is_some_and(is_flag) && !kept::is_in(cx) {
            self.kept = None;
        }
        self.attach_to(cx)
    }

    /// The baggage alone, which is no longer in `self` then.
    pub(crate) fn take_baggage(&mut self) -> Self {
        Self {
            baggage: self.baggage.take(),
            kept_baggage: self.kept_baggage.take(),
            ..Self::default()
        }
    }

    /// Takes over what another propagator found.
    pub(super) fn merge(&mut self, found: &Context, trust: &Trust) {
        let span = found.span().span_context().clone();
        // Of the same trace, W3C knows more.
        let known = self.span.as_ref().map(SpanContext::trace_id);
        if span.is_valid() && known != Some(span.trace_id()) {
            self.kept = None;
            self.span = Some(span);
        }
        let mut members = found
            .baggage()
            .iter()
            .filter(|(key, _)| trust.takes_baggage_key(key.as_str()))
            .peekable();
        if members.peek().is_none() {
            return;
        }
        let baggage = self.baggage.get_or_insert_default();
        for (key, (value, metadata)) in members {
            baggage.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
        }
        self.kept_baggage = self
            .kept_baggage
            .take()
            .filter(|kept| baggage::decodes_to(&kept.0, baggage));
    }

    pub(super) fn limit_to(&mut self, parent: ParentTrust) {
        match parent {
            ParentTrust::Continue => {}
            ParentTrust::Link => self.link = true,
            ParentTrust::Ignore => self.span = None,
        }
    }
}
