//! W3C Trace Context between carriers and OpenTelemetry's context.

use super::budget::Budget;
use super::kept::{Kept, is_level1};
use super::{Remote, has_span, rejected};
use crate::carrier::{Carrier, CarrierMut, Field};
use crate::w3c::{Flags, TraceParent, TraceState};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState as SdkTraceState,
};
use std::borrow::Cow;

pub(super) fn extract<C: Carrier>(carrier: &C, budget: &mut Budget, remote: &mut Remote) {
    let mut values = carrier.values_of(Field::TraceParent);
    let Some(value) = values.next() else { return };
    // Several traceparent headers restart the trace, even when they agree (Level 2, 4.3).
    let parsed = match values.next() {
        None => TraceParent::parse(value).ok(),
        Some(_) => None,
    };
    let Some(parent) = parsed else {
        rejected::traceparent();
        return;
    };
    let tracestate = read_tracestate(carrier, budget);
    let (visible, lost) = to_sdk(&tracestate);
    let trace_id = TraceId::from_bytes(parent.trace_id());
    remote.span = Some(SpanContext::new(
        trace_id,
        SpanId::from_bytes(parent.parent_id()),
        TraceFlags::new(parent.flags().bits()),
        true,
        visible,
    ));
    remote.kept.trace_id = Some(trace_id);
    remote.kept.flags = parent.flags();
    if lost {
        remote.kept.tracestate = tracestate;
    }
}

fn read_tracestate<C: Carrier>(carrier: &C, budget: &mut Budget) -> TraceState {
    let parsed = TraceState::parse(budget.spend(carrier.values_of(Field::TraceState)));
    if budget.exceeded() {
        rejected::over_budget();
        return TraceState::default();
    }
    parsed.unwrap_or_else(|_| {
        rejected::tracestate();
        TraceState::default()
    })
}

/// What the SDK's type can hold of `state`, and whether that is less than all of it.
fn to_sdk(state: &TraceState) -> (SdkTraceState, bool) {
    if state.is_empty() {
        return (SdkTraceState::NONE, false);
    }
    let held = state.members().filter(|(key, _)| is_level1(key));
    let visible = SdkTraceState::from_key_value(held).unwrap_or_default();
    let lost = visible.into_iter().count() < state.members().count();
    (visible, lost)
}

pub(super) fn inject<C: CarrierMut>(cx: &Context, made_here: fn(TraceId) -> bool, carrier: &mut C) {
    if !has_span(cx) {
        return;
    }
    let span = cx.span();
    let span = span.span_context();
    let kept = cx.get::<Kept>();
    let Some(parent) = to_traceparent(span, kept, made_here) else {
        return;
    };
    let parent = parent.format();
    carrier.set_field(
        Field::TraceParent,
        std::str::from_utf8(&parent).unwrap_or_default(),
    );

    let state = match kept {
        Some(kept) => kept.tracestate_for(span),
        None => Cow::Owned(TraceState::from_members(span.trace_state())),
    };
    if state.is_empty() {
        carrier.remove_field(Field::TraceState);
    } else {
        carrier.set_field(Field::TraceState, state.as_str());
    }
}

fn to_traceparent(
    span: &SpanContext,
    kept: Option<&Kept>,
    made_here: fn(TraceId) -> bool,
) -> Option<TraceParent> {
    let mut flags = Flags::new(span.trace_flags().to_u8());
    match kept.and_then(|kept| kept.flags_for(span)) {
        Some(kept) => flags = flags.union(kept),
        // A remote context is passed on as it came.
        None if !span.is_remote() && made_here(span.trace_id()) => {
            flags = flags.union(Flags::RANDOM);
        }
        None => {}
    }
    TraceParent::new(span.trace_id().to_bytes(), span.span_id().to_bytes(), flags)
}
