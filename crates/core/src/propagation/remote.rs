use super::baggage;
use super::kept::Kept;
use crate::trust::{ParentTrust, Trust};
use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{Link, SpanContext, TraceContextExt};

/// What a carrier held: the sender's span context and baggage, already limited by [`Trust`].
#[derive(Debug, Default)]
pub struct Remote {
    pub(super) span: Option<SpanContext>,
    pub(super) link: bool,
    pub(super) kept: Kept,
    pub(super) baggage: Option<Baggage>,
}

impl Remote {
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
        self.link
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
        let Self {
            span,
            link,
            kept,
            baggage,
        } = self;
        let mut out = match span {
            Some(span) if !link => cx.with_remote_span_context(span),
            _ => cx.clone(),
        };
        if !kept.is_empty() {
            out = out.with_value(kept);
        }
        if let Some(baggage) = baggage {
            out = out.with_baggage(baggage);
        }
        out
    }

    /// The same as [`attach_to`](Self::attach_to) but for the span: only the baggage.
    #[must_use]
    pub fn attach_baggage_to(mut self, cx: &Context) -> Context {
        self.link = true;
        self.attach_to(cx)
    }

    /// Takes over what another propagator found.
    pub(super) fn merge(&mut self, found: &Context, trust: &Trust) {
        let span = found.span().span_context().clone();
        if span.is_valid() {
            self.kept.trace_id = None;
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
        if !baggage::decodes_to(&self.kept.baggage, baggage) {
            self.kept.baggage.clear();
        }
    }

    pub(super) fn limit_to(&mut self, parent: ParentTrust) {
        match parent {
            ParentTrust::Continue => return,
            ParentTrust::Link => self.link = true,
            ParentTrust::Ignore => self.span = None,
        }
        // The trace is not continued; only the baggage text still counts.
        self.kept = Kept {
            baggage: std::mem::take(&mut self.kept.baggage),
            ..Kept::default()
        };
    }
}
