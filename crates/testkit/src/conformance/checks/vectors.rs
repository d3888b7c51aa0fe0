use crate::conformance::bench::Bench;
use crate::conformance::harness::{Harness, Traits};
use crate::conformance::spans::by_id;
use crate::conformance::work::Arrival;
use crate::vectors::{self, TRACEPARENT, TraceParentVector, WireField};
use dynamo_trace_core::w3c::baggage;
use opentelemetry::trace::SpanId;
use std::collections::BTreeMap;

/// Every `traceparent` vector: a valid one is continued, any other starts a new trace.
///
/// # Panics
///
/// If the adapter does not.
pub async fn traceparent_vectors<H: Harness>() {
    let vectors = vectors::traceparents();
    let [with_sdk, without_sdk] = benches::<H>().await;
    assert_passed_on(&vectors, without_sdk).await;
    if H::TRAITS.spans == 0 {
        assert_passed_on(&vectors, with_sdk).await;
    } else {
        assert_recorded(&vectors, with_sdk).await;
    }
}

fn sent(vector: &TraceParentVector) -> (String, Vec<WireField>) {
    (vector.name.clone(), vector.fields())
}

/// The next hop's parent is the sender.
async fn assert_passed_on<H: Harness>(vectors: &[TraceParentVector], bench: Bench<H>) {
    let arrivals = send_all(&bench, vectors.iter().map(sent)).await;
    let spans = bench.stop().await;
    for (vector, arrival) in each_sent(vectors, &arrivals) {
        let expected = vector.expect.as_ref().map(|parent| parent.to_header());
        let traceparent = arrival.fields.get("traceparent");
        assert_eq!(traceparent, expected.as_ref(), "{vector:?}, no span");
    }
    assert!(spans.is_empty(), "recorded: {spans:#?}");
}

/// The next hop's parent is the receiver's span.
async fn assert_recorded<H: Harness>(vectors: &[TraceParentVector], bench: Bench<H>) {
    let arrivals = send_all(&bench, vectors.iter().map(sent)).await;
    let spans = bench.stop().await;
    for (vector, arrival) in each_sent(vectors, &arrivals) {
        let traceparent = arrival.fields.get("traceparent").cloned();
        let traceparent = traceparent.unwrap_or_default();
        let parent = by_id(&spans, arrival.span.span_id()).map(|span| span.parent_span_id);
        let own = arrival.span.span_id();
        let (expected, expected_parent) = match &vector.expect {
            // What is not sampled is not recorded.
            Some(of) if of.flags & 1 == 0 => (&of.trace_id, None),
            Some(of) => (&of.trace_id, Some(of.span_id.clone())),
            None => (
                &arrival.span.trace_id().to_string(),
                Some(SpanId::INVALID.to_string()),
            ),
        };
        let flags = vector.expect.as_ref().map_or(1, |parent| parent.flags);
        let expected = format!("00-{expected}-{own}-{flags:02x}");
        assert_eq!(traceparent, expected, "{vector:?}");
        let parent = parent.map(|id| id.to_string());
        assert_eq!(parent, expected_parent, "the parent, {vector:?}");
        let restarted = !TRACEPARENT.contains(&arrival.span.trace_id().to_string());
        assert_eq!(restarted, vector.expect.is_none(), "{vector:?}");
    }
}

/// Every `tracestate` vector, with an SDK and without.
///
/// # Panics
///
/// If the adapter does not.
pub async fn tracestate_vectors<H: Harness>() {
    let vectors = vectors::tracestates();
    for bench in benches::<H>().await {
        let sent = vectors.iter().map(|v| (v.name.clone(), v.fields()));
        let arrivals = send_all(&bench, sent).await;
        bench.stop().await;
        for (vector, arrival) in each_sent(&vectors, &arrivals) {
            assert_continued(arrival);
            let tracestate = arrival.fields.get("tracestate").map(String::as_str);
            let expected = Some(vector.expect.as_str()).filter(|state| !state.is_empty());
            assert_eq!(tracestate, expected, "{vector:?}");
        }
    }
}

/// Every `baggage` vector, with an SDK and without.
///
/// # Panics
///
/// If the adapter does not.
pub async fn baggage_vectors<H: Harness>() {
    let vectors = vectors::baggages();
    for bench in benches::<H>().await {
        let sent = vectors.iter().map(|v| (v.name.clone(), v.fields()));
        let arrivals = send_all(&bench, sent).await;
        bench.stop().await;
        for (vector, arrival) in each_sent(&vectors, &arrivals) {
            assert_continued(arrival);
            let header = arrival.fields.get("baggage");
            let members = baggage::parse(header.map(|h| h.as_bytes()));
            let members: BTreeMap<_, _> = members
                .map(|member| (member.key.to_owned(), member.value.into_owned()))
                .collect();
            let expected = match H::TRAITS.baggage {
                true => vector.expect.clone(),
                false => BTreeMap::new(),
            };
            assert_eq!(members, expected, "{vector:?}");
            assert_eq!(header.is_some(), !expected.is_empty(), "{vector:?}");
        }
    }
}

async fn benches<H: Harness>() -> [Bench<H>; 2] {
    [Bench::with_sdk().await, Bench::without_sdk().await]
}

fn assert_continued(arrival: &Arrival) {
    let trace_id = arrival.span.trace_id().to_string();
    assert!(TRACEPARENT.contains(&trace_id), "restarted: {arrival:#?}");
}

/// Sends every vector, and gives what arrived of each; nothing of one that this transport
/// cannot carry.
async fn send_all<H: Harness>(
    bench: &Bench<H>,
    vectors: impl Iterator<Item = (String, Vec<WireField>)>,
) -> Vec<Option<Arrival>> {
    let mut arrivals = Vec::new();
    let mut due = 0;
    for (name, fields) in vectors {
        let carriable = is_carriable(&fields, &H::TRAITS);
        let arrival = bench.pass_raw(fields, &format!("ok:{name}")).await;
        assert!(
            arrival.is_some() || !carriable,
            "{name} is not sent, though the transport can carry it"
        );
        due += usize::from(carriable);
        arrivals.push(arrival);
    }
    let run = arrivals.iter().flatten().count();
    assert!(run >= due && due > 0, "{run} vectors run of {due}");
    arrivals
}

/// Whether every sender can send these fields: their values are printable ASCII.
fn is_carriable(fields: &[WireField], traits: &Traits) -> bool {
    let printable = |(_, value): &WireField| value.iter().all(|b| matches!(b, 0x20..=0x7e));
    let mut names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
    names.dedup();
    let bytes: usize = fields.iter().map(|(_, value)| value.len()).sum();
    fields.iter().all(printable)
        && (traits.repeated_fields || names.len() == fields.len())
        && bytes <= traits.max_field_bytes
}

fn each_sent<'a, V>(
    vectors: &'a [V],
    arrivals: &'a [Option<Arrival>],
) -> impl Iterator<Item = (&'a V, &'a Arrival)> {
    let pairs = vectors.iter().zip(arrivals);
    pairs.filter_map(|(vector, arrival)| Some((vector, arrival.as_ref()?)))
}
