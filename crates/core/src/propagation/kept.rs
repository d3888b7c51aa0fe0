use crate::w3c::TraceState;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceId};
use std::borrow::Cow;

/// What the SDK loses of a received trace context, as a value in [`opentelemetry::Context`].
///
/// The SDK clears the flags when its sampler drops a span, and its `TraceState` cannot hold
/// every Level 2 key. Where nothing would be lost, nothing is kept. It counts while the trace-id
/// is this one.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptTrace {
    pub(super) trace_id: Option<TraceId>,
    /// Whether the random flag was set.
    pub(super) random: bool,
    /// The whole tracestate, where the SDK's cannot hold every member.
    pub(super) tracestate: TraceState,
}

/// The baggage header as received, its members checked, as a value in
/// [`opentelemetry::Context`]: OpenTelemetry's `Baggage` forgets order and encoding. It counts
/// while it says what the current baggage says.
#[derive(Clone, Debug)]
pub(super) struct KeptBaggage(pub(super) String);

/// Whether something is kept of an earlier parent, which must not count for another.
pub(super) fn is_in(cx: &Context) -> bool {
    cx.get::<KeptTrace>().is_some()
}

impl KeptTrace {
    fn belongs_to(&self, span: &SpanContext) -> bool {
        self.trace_id == Some(span.trace_id())
    }

    /// The random flag or its absence, where `span` continues the received trace.
    pub(super) fn random_for(&self, span: &SpanContext) -> Option<bool> {
        self.belongs_to(span).then_some(self.random)
    }

    /// The tracestate to send for `span`: as received, if what the SDK could hold of it is
    /// unchanged; else the SDK's members, and then those that it could not hold.
    pub(super) fn tracestate_for(&self, span: &SpanContext) -> Cow<'_, TraceState> {
        let current = || span.trace_state().into_iter();
        if !self.belongs_to(span) || self.tracestate.is_empty() {
            Cow::Owned(TraceState::from_members(current()))
        } else if current().eq(self.tracestate.members().filter(|(key, _)| is_level1(key))) {
            Cow::Borrowed(&self.tracestate)
        } else {
            let lost = self.tracestate.members().filter(|(key, _)| !is_level1(key));
            Cow::Owned(TraceState::from_members(current().chain(lost)))
        }
    }
}

/// Whether the SDK's `TraceState` can hold this valid Level 2 key: Level 1 has at most one `@`,
/// with at most 13 characters behind it.
pub(super) fn is_level1(key: &str) -> bool {
    key.split_once('@').is_none_or(|(_, vendor)| {
        vendor.len() <= 13
            && !vendor.contains('@')
            && vendor
                .bytes()
                .next()
                .is_none_or(|b| b.is_ascii_alphanumeric())
    })
}
