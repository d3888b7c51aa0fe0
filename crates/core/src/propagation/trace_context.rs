//! W3C Trace Context between carriers and OpenTelemetry's context.

use super::budget::Budget;
use super::kept::{KeptTrace, is_level1};
use super::{Remote, has_span, rejected};
use crate::carrier::{Carrier, CarrierMut, Field};
use crate::w3c::{Flags, TraceParent, TraceState};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState as SdkTraceState,
};
use std::borrow::Cow;

pub(super) fn extract<C: Carrier>(
    carrier: &C,
    budget: &mut Budget,
    made_here: fn(TraceId) -> bool,
    remote: &mut Remote,
) {
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
    let random = parent.flags().contains(Flags::RANDOM);
    // A trace of this process that comes back without the flag stays without it.
    if random || lost || made_here(trace_id) {
        remote.kept = Some(KeptTrace {
            trace_id: Some(trace_id),
            random,
            tracestate: if lost {
                tracestate
            } else {
                TraceState::default()
            },
        });
    }
}

/// The sender's span, of a carrier that has this one `traceparent` and no `tracestate`, where
/// nothing of it has to be kept beside.
pub(super) fn read_alone(
    traceparent: &[u8],
    made_here: fn(TraceId) -> bool,
) -> Option<SpanContext> {
    let parent = TraceParent::parse(traceparent).ok()?;
    let trace_id = TraceId::from_bytes(parent.trace_id());
    if parent.flags().contains(Flags::RANDOM) || made_here(trace_id) {
        return None;
    }
    Some(SpanContext::new(
        trace_id,
        SpanId::from_bytes(parent.parent_id()),
        TraceFlags::new(parent.flags().bits()),
        true,
        SdkTraceState::NONE,
    ))
}

fn read_tracestate<C: Carrier>(carrier: &C, budget: &mut Budget) -> TraceState {
    // What is read of it is bounded by the number of members, and their lengths.
    match TraceState::parse(carrier.values_of(Field::TraceState)) {
        Ok(mut state) => {
            let fits = budget.left().min(TraceState::MAX_BYTES);
            if state.as_str().len() > fits {
                rejected::over_budget();
                state.truncate(fits);
            }
            budget.take(state.as_str().len());
            state
        }
        Err(_) => {
            rejected::tracestate();
            TraceState::default()
        }
    }
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
    let kept = cx.get::<KeptTrace>();
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
    kept: Option<&KeptTrace>,
    made_here: fn(TraceId) -> bool,
) -> Option<TraceParent> {
    let mut flags = Flags::new(span.trace_flags().to_u8());
    let random = kept
        .and_then(|kept| kept.random_for(span))
        // A remote context is passed on as it came.
        .unwrap_or_else(|| !span.is_remote() && made_here(span.trace_id()));
    if random {
        flags = flags.union(Flags::RANDOM);
    }
    TraceParent::new(span.trace_id().to_bytes(), span.span_id().to_bytes(), flags)
}
