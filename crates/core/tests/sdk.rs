//! With a real SDK between extraction and injection, and with one that is switched off.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::{CarrierMut, Field, Instrumentation, Propagation, SpanGuard, Trust};
use http::HeaderMap;
use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use proptest::prelude::*;
use support::{SPAN_ID, Sdk, Sent, TRACE_ID, fields, no_sdk, received, sent, traceparent};

fn start(instrumentation: &Instrumentation, parent: &Context) -> SpanGuard {
    instrumentation.start(SpanBuilder::from_name("span"), parent)
}

/// Decides as the parent says, and puts its threshold in front of the tracestate.
#[derive(Clone, Debug)]
struct Threshold;

impl ShouldSample for Threshold {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let by_parent = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        let mut result = by_parent.should_sample(parent, trace_id, name, kind, attributes, links);
        result.trace_state = result.trace_state.insert("ot", "th:8").expect("valid");
        result
    }
}

/// Records, but does not sample.
#[derive(Clone, Debug)]
struct RecordOnly;

impl ShouldSample for RecordOnly {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        SamplingResult {
            decision: SamplingDecision::RecordOnly,
            attributes: Vec::new(),
            trace_state: TraceState::NONE,
        }
    }
}

#[test]
fn flags_of_a_continued_trace_are_kept() {
    let sdk = Sdk::new();
    for flags in 0..=3 {
        let context = received([("traceparent", &traceparent(flags))]);
        let server = start(&sdk.instrumentation, &context);
        let client = start(&sdk.instrumentation, server.context());
        for guard in [&server, &client] {
            let own = guard.span_context();
            let expected = format!("00-{TRACE_ID}-{}-{flags:02x}", own.span_id());
            assert_eq!(sent(guard.context())["traceparent"], expected);
            assert_ne!(own.span_id().to_string(), SPAN_ID);
            assert_eq!(own.trace_flags().to_u8(), flags);
            assert_eq!(guard.is_recording(), flags & 1 == 1);
        }
        assert_ne!(server.span_context(), client.span_context());
    }
}

/// The SDK's own tracer clears the flags of a span that its sampler drops.
#[test]
fn the_random_flag_survives_a_span_of_the_users_own() {
    let sdk = Sdk::new();
    let context = received([("traceparent", &traceparent(2))]);
    let tracer = sdk.provider.tracer("user");
    let own = tracer.start_with_context("own", &context);
    let context = context.with_span(own);
    assert_eq!(context.span().span_context().trace_flags().to_u8(), 0);
    assert!(sent(&context)["traceparent"].ends_with("-02"));
}

/// So does it below a span of an adapter that was dropped.
#[test]
fn the_random_flag_survives_below_a_dropped_span() {
    let sdk = Sdk::new();
    let mut headers = HeaderMap::new();
    headers.set_field(Field::TraceParent, &traceparent(2));
    let trusted = Trust::trusted();
    let (context, _) = Propagation::w3c().receive(&Context::new(), &mut headers, &trusted);
    let server = start(&sdk.instrumentation, &context);
    assert!(!server.is_recording());
    let tracer = sdk.provider.tracer("user");
    let own = tracer.start_with_context("own", server.context());
    let context = server.context().with_span(own);
    assert_eq!(context.span().span_context().trace_flags().to_u8(), 0);
    assert!(sent(&context)["traceparent"].ends_with("-02"));
}

#[test]
fn a_span_that_records_unsampled_is_sent_as_unsampled() {
    let sdk = Sdk::sampling(RecordOnly);
    let context = received([("traceparent", &traceparent(3))]);
    let guard = start(&sdk.instrumentation, &context);
    assert!(guard.is_recording());
    assert!(sent(guard.context())["traceparent"].ends_with("-02"));
}

#[test]
fn level_2_tracestate_is_kept_across_spans() {
    let sdk = Sdk::new();
    let state = "bar=2,a@b@c=1,foo= 1,x@0123456789abcdef=2";
    for flags in 0..=3 {
        let parent = traceparent(flags);
        let context = received([("traceparent", parent.as_str()), ("tracestate", state)]);
        let server = start(&sdk.instrumentation, &context);
        let client = start(&sdk.instrumentation, server.context());
        assert_eq!(sent(server.context())["tracestate"], state);
        assert_eq!(sent(client.context())["tracestate"], state);
    }
}

#[test]
fn a_sampler_that_changes_tracestate_wins_and_nothing_is_lost() {
    let sdk = Sdk::sampling(Threshold);
    let parent = traceparent(1);
    let state = |state| {
        let context = received([("traceparent", parent.as_str()), ("tracestate", state)]);
        let guard = start(&sdk.instrumentation, &context);
        sent(guard.context())["tracestate"].clone()
    };
    assert_eq!(state("foo=1"), "ot=th:8,foo=1");
    assert_eq!(state("a@b@c=1,ot=th:2,foo=1"), "ot=th:8,foo=1,a@b@c=1");
    assert_eq!(state("ot=th:8,a@b@c=1"), "ot=th:8,a@b@c=1");
    let full: Vec<_> = (0..31).map(|n| format!("k{n}=1")).collect();
    let full = format!("{},a@b@c=1", full.join(","));
    let sent = state(&full);
    assert_eq!(sent.split(',').count(), 32, "a 33rd member is dropped");
    assert!(sent.starts_with("ot=th:8,k0=1,") && sent.ends_with(",k30=1"));
}

#[test]
fn what_was_kept_counts_for_its_trace_only() {
    let parent = traceparent(2);
    let context = received([("traceparent", parent.as_str()), ("tracestate", "a@b@c=1")]);
    let other = "00-11111111111111111111111111111111-2222222222222222-01";
    let other = received([("traceparent", other)]);
    let other = context.with_remote_span_context(other.span().span_context().clone());
    let expected = "00-11111111111111111111111111111111-2222222222222222-01";
    assert_eq!(sent(&other), fields([("traceparent", expected)]));
}

fn passed_through() -> Sent {
    fields([
        ("traceparent", &traceparent(3)),
        ("tracestate", "a@b@c=1,foo=1"),
        ("baggage", "z=1,a=x%20y;p=1"),
    ])
}

fn assert_passes_through(instrumentation: &Instrumentation, suppressed: bool) {
    let mut context = Propagation::w3c().extract(&Context::new(), &passed_through());
    let mut root = Context::new();
    if suppressed {
        context = context.with_telemetry_suppressed();
        root = root.with_telemetry_suppressed();
    }
    let server = start(instrumentation, &context);
    let client = start(instrumentation, server.context());
    assert!(!client.is_recording());
    assert_eq!(sent(client.context()), passed_through());
    let alone = start(instrumentation, &root);
    assert_eq!(alone.span_context(), SpanContext::NONE);
    assert_eq!(sent(alone.context()), Sent::new());
}

#[test]
fn no_sdk_passes_the_context_through() {
    assert_passes_through(&no_sdk(), false);
}

#[test]
fn a_provider_that_was_shut_down_passes_the_context_through() {
    let sdk = Sdk::new();
    sdk.provider.shutdown().expect("the first time");
    assert_passes_through(&sdk.instrumentation, false);
    assert!(sdk.ended().is_empty());
}

#[test]
fn suppressed_telemetry_passes_the_context_through() {
    let sdk = Sdk::new();
    assert_passes_through(&sdk.instrumentation, true);
    assert!(sdk.ended().is_empty());
}

#[test]
fn roots_made_here_are_marked_as_random_and_others_are_not() {
    let propagation = Propagation::w3c().random_trace_ids(|_| true);
    let flags = |context: &Context| {
        let mut fields = Sent::new();
        propagation.inject(context, &mut fields);
        fields["traceparent"].split_at(53).1.to_owned()
    };
    let sdk = Sdk::new();
    let root = start(&sdk.instrumentation, &Context::new());
    assert_eq!(flags(root.context()), "03");
    // Remote: passed on as it came; nothing is known of how its id was made.
    let remote = received([("traceparent", &traceparent(1))]);
    assert_eq!(flags(&remote), "01");
    let marked = received([("traceparent", &traceparent(3))]);
    let child = start(&sdk.instrumentation, &marked);
    assert_eq!(flags(child.context()), "03");
}

#[test]
fn a_child_of_a_remote_trace_without_the_random_flag_has_none() {
    // As the SDK's id generator would answer: only for ids that it made.
    let propagation = Propagation::w3c().random_trace_ids(|id| id.to_string() != TRACE_ID);
    let sdk = Sdk::new();
    let child = start(
        &sdk.instrumentation,
        &received([("traceparent", &traceparent(1))]),
    );
    let mut fields = Sent::new();
    propagation.inject(child.context(), &mut fields);
    assert!(fields["traceparent"].ends_with("-01"));
}

#[test]
fn baggage_is_sent_as_it_came_until_it_changes() {
    use opentelemetry::baggage::BaggageExt;
    let parent = traceparent(1);
    let text = "z=1,a=x%20y%2Cz;p=1;q,m=%41";
    let context = received([("traceparent", parent.as_str()), ("baggage", text)]);
    let sdk = Sdk::new();
    let guard = start(&sdk.instrumentation, &context);
    assert_eq!(sent(guard.context())["baggage"], text);

    let changed = guard.context().with_cleared_baggage();
    assert!(!sent(&changed).contains_key("baggage"));
    let changed = changed.with_baggage([KeyValue::new("user", "a b,c")]);
    assert_eq!(sent(&changed)["baggage"], "user=a%20b%2Cc");
}

proptest! {
    /// Whatever valid tracestate comes in goes out again, with an SDK span between.
    #[test]
    fn any_tracestate_survives_a_span(
        members in prop::collection::vec("[a-c0-1][a-b0_@/*-]{0,20}=[ -+.-<>-~]{0,8}[!-+.-<>-~]", 0..=32),
        flags in 0..=3_u8,
    ) {
        let (parent, state) = (traceparent(flags), members.join(","));
        let context = received([("traceparent", parent.as_str()), ("tracestate", state.as_str())]);
        let sdk = Sdk::new();
        let guard = start(&sdk.instrumentation, &context);
        let sent = sent(guard.context()).remove("tracestate");
        prop_assert_eq!(sent.unwrap_or_default(), state);
    }

    /// Whatever fields come in, a span can start and be sent.
    #[test]
    fn any_fields_are_read_without_panic(parent: String, state: String, baggage: String) {
        let context = received([
            ("traceparent", parent.as_str()),
            ("tracestate", state.as_str()),
            ("baggage", baggage.as_str()),
        ]);
        let sdk = Sdk::new();
        let guard = start(&sdk.instrumentation, &context);
        prop_assert!(sent(guard.context()).contains_key("traceparent"));
    }
}
