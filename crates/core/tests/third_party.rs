//! A propagator that knows OpenTelemetry's traits only, on every carrier.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::{
    Carrier, CarrierMut, ContextBlock, ContextBlockBuf, Environment, Field, Fields, Format,
    Propagation, Trust,
};
use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use support::{Sdk, Sent, TRACE_ID, attribute, fields, received, sent, traceparent};

/// B3 in several fields, spelt in its customary case, and baggage in a field for each key.
#[derive(Debug)]
struct B3;

static B3_FIELDS: LazyLock<[String; 3]> =
    LazyLock::new(|| ["X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled"].map(str::to_owned));

const BAGGAGE_PREFIX: &str = "baggage-";

impl TextMapPropagator for B3 {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let span = cx.span();
        let span = span.span_context();
        if span.is_valid() {
            injector.set("X-B3-TraceId", span.trace_id().to_string());
            injector.set("X-B3-SpanId", span.span_id().to_string());
            injector.set("X-B3-Sampled", u8::from(span.is_sampled()).to_string());
        }
        for (key, (value, _)) in cx.baggage() {
            injector.set(&format!("{BAGGAGE_PREFIX}{key}"), value.to_string());
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let ids = || {
            let trace_id = TraceId::from_hex(extractor.get("X-B3-TraceId")?).ok()?;
            let span_id = SpanId::from_hex(extractor.get("X-B3-SpanId")?).ok()?;
            let sampled = extractor.get("X-B3-Sampled") == Some("1");
            let flags = TraceFlags::NOT_SAMPLED.with_sampled(sampled);
            Some(SpanContext::new(
                trace_id,
                span_id,
                flags,
                true,
                TraceState::NONE,
            ))
        };
        let baggage = extractor.keys().into_iter().filter_map(|name| {
            let lower = name.to_lowercase().replace('_', "-");
            let key = lower.strip_prefix(BAGGAGE_PREFIX)?.to_owned();
            Some(KeyValue::new(key, extractor.get(name)?.to_owned()))
        });
        let baggage: Vec<_> = baggage.collect();
        let mut found = cx.clone();
        if let Some(ids) = ids() {
            found = found.with_remote_span_context(ids);
        }
        if !baggage.is_empty() {
            found = found.with_baggage(baggage);
        }
        found
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&*B3_FIELDS)
    }
}

fn b3() -> Format {
    Format::Other(Arc::new(B3))
}

fn context() -> Context {
    let parent = traceparent(1);
    received([("traceparent", parent.as_str()), ("baggage", "tenant=t 1")])
}

/// What one carrier brings over.
fn round_trip<C: CarrierMut + Default>() -> C {
    let mut carrier = C::default();
    carrier.set_field(Field::Other("x-b3-traceid"), "stale");
    let propagation = Propagation::of([b3()]);
    propagation.inject(&context(), &mut carrier);
    assert_eq!(carrier.values_of(Field::Other("x-B3-traceid")).count(), 1);
    let arrived = propagation.extract(&Context::new(), &carrier);
    assert_eq!(sent(&arrived), sent(&context()));
    carrier
}

fn names(carrier: &impl Carrier) -> Vec<String> {
    let mut names: Vec<_> = carrier.field_names().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

const LOWERCASE: [&str; 4] = [
    "baggage-tenant",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
];

#[test]
fn header_map() {
    assert_eq!(names(&round_trip::<HeaderMap>()), LOWERCASE);
}

#[test]
fn maps_and_lists() {
    assert_eq!(names(&round_trip::<HashMap<String, String>>()), LOWERCASE);
    assert_eq!(names(&round_trip::<BTreeMap<String, String>>()), LOWERCASE);
    assert_eq!(names(&round_trip::<Vec<(String, String)>>()), LOWERCASE);
}

#[test]
fn struct_of_fields() {
    let fields = round_trip::<Fields>();
    assert_eq!(names(&fields), LOWERCASE);
    let json = serde_json::to_string(&fields).expect("a map of strings");
    let arrived: Fields = serde_json::from_str(&json).expect("as it was written");
    assert_eq!(arrived, fields);
}

#[test]
fn environment() {
    let names = names(&round_trip::<Environment>());
    let expected = [
        "BAGGAGE_TENANT",
        "X_B3_SAMPLED",
        "X_B3_SPANID",
        "X_B3_TRACEID",
    ];
    assert_eq!(names, expected);
}

#[test]
fn context_block() {
    let block = round_trip::<ContextBlockBuf>();
    assert_eq!(names(&block).len(), 4);
    let received = ContextBlock::parse(block.as_bytes()).expect("a valid block");
    let context = Propagation::of([b3()]).extract(&Context::new(), &received);
    assert_eq!(
        context.span().span_context().trace_id().to_string(),
        TRACE_ID
    );
}

#[test]
fn formats_are_written_together_and_the_later_one_wins() {
    let both = Propagation::of([Format::TraceContext, b3()]);
    let mut carrier = Sent::new();
    both.inject(&context(), &mut carrier);
    assert_eq!(carrier.len(), 5, "{carrier:#?}");

    let other = "11111111111111111111111111111111";
    carrier.insert("x-b3-traceid".to_owned(), other.to_owned());
    let trace_id = |propagation: Propagation| {
        let context = propagation.extract(&Context::new(), &carrier);
        context.span().span_context().trace_id().to_string()
    };
    assert_eq!(trace_id(both), other);
    assert_eq!(
        trace_id(Propagation::of([b3(), Format::TraceContext])),
        TRACE_ID
    );
}

/// The flags and the tracestate that the SDK cannot hold belong to the format that lost.
#[test]
fn nothing_of_the_losing_format_is_sent_on() {
    let both = Propagation::of([Format::TraceContext, b3()]);
    let mut carrier = Sent::new();
    Propagation::of([b3()]).inject(&context(), &mut carrier);
    let other = traceparent(3).replace(TRACE_ID, "11111111111111111111111111111111");
    carrier.insert("traceparent".to_owned(), other);
    carrier.insert("tracestate".to_owned(), "a@b@c=1".to_owned());
    let arrived = both.extract(&Context::new(), &carrier);
    assert_eq!(sent(&arrived), sent(&context()));
}

#[test]
fn another_format_does_not_degrade_w3c_in_the_same_trace() {
    let both = Propagation::of([Format::TraceContext, b3()]);
    let mut carrier = Sent::new();
    Propagation::of([b3()]).inject(&context(), &mut carrier);
    carrier.insert("traceparent".to_owned(), traceparent(3));
    carrier.insert("tracestate".to_owned(), "a@b@c=1".to_owned());
    let arrived = sent(&both.extract(&Context::new(), &carrier));
    assert_eq!(arrived.get("traceparent"), Some(&traceparent(3)));
    assert_eq!(
        arrived.get("tracestate").map(String::as_str),
        Some("a@b@c=1")
    );
}

#[test]
fn a_look_alike_name_is_not_read() {
    let mut carrier = HeaderMap::new();
    Propagation::of([b3()]).inject(&context(), &mut carrier);
    let id = carrier.remove("x-b3-traceid").expect("a trace-id");
    carrier.insert("x_b3_traceid", id);
    let arrived = Propagation::of([b3()]).extract(&Context::new(), &carrier);
    assert!(!arrived.span().span_context().is_valid());
}

/// A propagator that names the W3C fields fills them as ours does.
#[test]
fn w3c_fields_of_another_propagator_are_found_in_their_places() {
    let other = Propagation::of([Format::Other(Arc::new(Propagation::w3c()))]);
    let mut carrier = Fields::default();
    other.inject(&context(), &mut carrier);
    assert_eq!(carrier.traceparent, Some(traceparent(1)));
    assert_eq!(carrier.other, Sent::new());
    let (mut block, mut own) = (ContextBlockBuf::default(), ContextBlockBuf::default());
    other.inject(&context(), &mut block);
    Propagation::w3c().inject(&context(), &mut own);
    assert_eq!(block, own);
}

#[test]
fn a_later_format_that_finds_nothing_takes_nothing_away() {
    let parent = traceparent(3);
    let carrier = fields([("traceparent", parent.as_str()), ("tracestate", "a@b@c=1")]);
    let propagation = Propagation::of([Format::TraceContext, b3()]);
    let context = propagation.extract(&Context::new(), &carrier);
    assert_eq!(sent(&context), carrier);
}

#[test]
fn trust_counts_for_every_format() {
    let propagation = Propagation::of([b3()]);
    let mut carrier = Sent::new();
    propagation.inject(&context(), &mut carrier);

    let linked = propagation.remote(&carrier, &Trust::linked());
    assert!(linked.is_link_only() && linked.to_link().is_some());
    assert_eq!(sent(&linked.attach_to(&Context::new())), Sent::new());
    assert!(propagation.remote(&carrier, &Trust::ignored()).is_empty());
    let listed = Trust::ignored().baggage_keys(["other"]);
    assert!(propagation.remote(&carrier, &listed).is_empty());
    let listed = Trust::ignored().baggage_keys(["tenant"]);
    let baggage = propagation
        .remote(&carrier, &listed)
        .attach_to(&Context::new());
    assert_eq!(sent(&baggage), fields([("baggage", "tenant=t%201")]));
}

#[test]
fn a_context_that_its_author_set_stays() {
    let propagation = Propagation::of([Format::TraceContext, Format::Baggage, b3()]);
    for name in ["TraceParent", "x-b3-spanid"] {
        let mut carrier = fields([(name, "the author's")]);
        assert!(!propagation.inject_if_absent(&context(), &mut carrier));
        assert_eq!(carrier, fields([(name, "the author's")]));
    }
    for name in ["baggage", "x-b4-spanid"] {
        let mut carrier = fields([(name, "k=v")]);
        assert!(propagation.inject_if_absent(&context(), &mut carrier));
        assert!(carrier.contains_key("traceparent"));
        assert_eq!(carrier.get(name).map(String::as_str), Some("k=v"));
    }
}

#[test]
fn spans_continue_what_another_format_brought() {
    let mut carrier = HeaderMap::new();
    Propagation::of([b3()]).inject(&context(), &mut carrier);
    let sdk = Sdk::new();
    let arrived = Propagation::of([b3()]).extract(&Context::new(), &carrier);
    let builder = opentelemetry::trace::SpanBuilder::from_name("span");
    drop(sdk.instrumentation.start(builder, &arrived));
    let span = sdk.span();
    assert_eq!(span.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(
        attribute(&span, "dynamo_trace.ending").as_deref(),
        Some("cancelled")
    );
}

#[test]
fn its_fields_are_under_the_budget_too() {
    let carrier: HashMap<String, String> = round_trip();
    let propagation = Propagation::of([b3()]);
    let within = |bytes| propagation.remote(&carrier, &Trust::trusted().max_bytes(bytes));
    // 32 digits, 16 digits, a flag, and `t 1`.
    assert!(within(52).span_context().is_some());
    assert!(within(50).span_context().is_none());
}
