//! What may go out, whatever came in; and what belongs to which parent.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::w3c::TraceState;
use dynamo_trace_core::{Propagation, Trust};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{TraceContextExt, TraceId};
use support::{Sent, TRACE_ID, fields, received, sent, traceparent};

const BAGGAGE: usize = 8192;

/// What is sent on of one baggage header.
fn resent(baggage: &str) -> String {
    let parent = traceparent(1);
    let cx = received([("traceparent", &*parent), ("baggage", baggage)]);
    sent(&cx).remove("baggage").unwrap_or_default()
}

#[test]
fn baggage_does_not_grow_beyond_its_limit() {
    let members = |value: &str| -> String {
        let members: Vec<_> = (0..60).map(|n| format!("k{n}={value}")).collect();
        members.join(",")
    };
    for text in [
        // Not ASCII: each byte of it would become nine.
        format!("k={}", "\u{ff}".repeat(1900)),
        members(&"\u{ff}".repeat(60)),
        // Encoded without need.
        format!("k={}", "%41".repeat(5400)),
        members(&"%41".repeat(80)),
    ] {
        let out = resent(&text);
        assert!(
            out.len() <= BAGGAGE,
            "{} bytes became {}",
            text.len(),
            out.len()
        );
    }
    let fits = format!("k={}", "%2C".repeat(2700));
    assert_eq!(resent(&fits), fits);
}

#[test]
fn a_flood_of_members_is_read_to_the_64th() {
    let flood = "a=,".repeat(5000);
    assert_eq!(resent(&flood), "a=");
    let many: Vec<_> = (0..100).map(|n| format!("k{n}=")).collect();
    assert_eq!(resent(&many.join(",")).split(',').count(), 64);
}

#[test]
fn baggage_that_does_not_fit_leaves_no_stale_one() {
    let cx = received([("traceparent", &*traceparent(1))]);
    let cx = cx.with_baggage([KeyValue::new("k", "\u{e9}".repeat(4000))]);
    let mut carrier = fields([("baggage", "stale=1")]);
    Propagation::w3c().inject(&cx, &mut carrier);
    assert!(!carrier.contains_key("baggage"));
}

#[test]
fn a_long_tracestate_loses_whole_members() {
    let parent = traceparent(1);
    let members: Vec<_> = (0..32)
        .map(|n| format!("k{n}={}", "v".repeat(250)))
        .collect();
    let long = members.join(",");
    let through = |trust: Trust| {
        let carrier = fields([("traceparent", &*parent), ("tracestate", &*long)]);
        let remote = Propagation::w3c().remote(&carrier, &trust);
        let out = sent(&remote.attach_to(&Context::new()));
        out.get("tracestate").cloned().unwrap_or_default()
    };
    // All of them are over 128 characters, and so go first.
    assert_eq!(through(Trust::trusted()), "");
    let mut short: Vec<_> = (0..32)
        .map(|n| format!("k{n}={}", "v".repeat(120)))
        .collect();
    short.push(String::new());
    let carrier = fields([("traceparent", &*parent), ("tracestate", &*short.join(","))]);
    let within = |bytes| {
        let trust = Trust::trusted().max_bytes(bytes);
        let remote = Propagation::w3c().remote(&carrier, &trust);
        let out = sent(&remote.attach_to(&Context::new()));
        out.get("tracestate").map_or(0, String::len)
    };
    assert!((3900..=TraceState::MAX_BYTES).contains(&within(16 * 1024)));
    assert!((900..=1000).contains(&within(1000)));
}

/// The trace state of one parent does not count for the next one.
#[test]
fn a_new_parent_of_the_same_trace_brings_its_own_state() {
    let before = received([("traceparent", &*traceparent(3)), ("tracestate", "a@b@c=1")]);
    let next = traceparent(1).replace("b7ad", "1111");
    let carrier = fields([("traceparent", &*next), ("tracestate", "x=1")]);
    let after = Propagation::w3c().extract(&before, &carrier);
    assert_eq!(sent(&after), carrier);
}

/// Baggage, or a context that is not continued, leaves the ambient trace as it is.
#[test]
fn what_brings_no_parent_leaves_the_ambient_one_alone() {
    let ambient = received([("traceparent", &*traceparent(3)), ("tracestate", "a@b@c=1")]);
    let expect = |cx: &Context| {
        let mut out = sent(cx);
        out.remove("baggage");
        assert_eq!(out, sent(&ambient));
    };
    let w3c = Propagation::w3c();
    expect(&w3c.extract(&ambient, &fields([("baggage", "k=v")])));
    expect(&w3c.extract(
        &ambient,
        &fields([("traceparent", "00-1-2-1"), ("baggage", "k=v")]),
    ));
    let other = traceparent(1).replace(TRACE_ID, "11111111111111111111111111111111");
    let caller = fields([("traceparent", &*other), ("baggage", "tenant=1")]);
    let trust = Trust::linked().baggage_keys(["tenant"]);
    expect(&w3c.remote(&caller, &trust).attach_to(&ambient));
}

/// Every stock OpenTelemetry hop clears the random flag; then it stays clear.
#[test]
fn a_trace_of_ours_that_comes_back_keeps_its_flags() {
    let ours = Propagation::w3c().random_trace_ids(|_: TraceId| true);
    let mut out = Sent::new();
    let carrier = fields([("traceparent", &*traceparent(1))]);
    let cx = ours.extract(&Context::new(), &carrier);
    let span = cx.span().span_context().clone();
    let child = opentelemetry::trace::SpanContext::new(
        span.trace_id(),
        opentelemetry::trace::SpanId::from_bytes([1; 8]),
        span.trace_flags(),
        false,
        span.trace_state().clone(),
    );
    ours.inject(&cx.with_remote_span_context(child), &mut out);
    assert!(out["traceparent"].ends_with("-01"), "{out:?}");
}
