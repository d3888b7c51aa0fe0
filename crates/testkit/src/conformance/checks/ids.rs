use crate::conformance::bench::Bench;
use crate::conformance::caller::Caller;
use crate::conformance::harness::Harness;
use crate::conformance::spans::{by_id, ended, of_trace};
use crate::conformance::work::Arrival;
use opentelemetry::Context;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

/// The receiver's span is a descendant of the caller's, over nothing but the sender's spans;
/// without a caller the sender's span is the root. An adapter without spans hands the caller's
/// to the receiver.
///
/// # Panics
///
/// If the adapter does not.
pub async fn ids_arrive<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let caller = Caller::new(0, 0x01);
    let called = bench.pass(&caller, "ok:called").await;
    assert_eq!(bench.send(Context::new(), "ok:alone").await, Ok(()));
    let alone = bench.returned("ok:alone").await;
    for arrival in [&called, &alone] {
        let trace_id = arrival.span.trace_id();
        ended(&bench.spans, trace_id, H::TRAITS.spans).await;
    }
    let spans = bench.stop().await;

    assert_eq!(called.span.trace_id(), caller.trace_id());
    assert_eq!(root_of::<H>(&spans, &called), caller.span().span_id());
    if H::TRAITS.spans == 0 {
        assert_from_nowhere(&alone);
        return;
    }
    assert_ne!(alone.span.trace_id(), caller.trace_id());
    assert_eq!(root_of::<H>(&spans, &alone), SpanId::INVALID);
}

/// Follows the parents of the receiver's span to one that was not recorded here.
fn root_of<H: Harness>(spans: &[SpanData], arrival: &Arrival) -> SpanId {
    let trace = of_trace(spans, arrival.span.trace_id());
    assert_eq!(
        trace.len(),
        H::TRAITS.spans,
        "spans of one send: {trace:#?}"
    );
    let sent = arrival.fields.get("traceparent");
    let own = format!(
        "00-{}-{}-01",
        arrival.span.trace_id(),
        arrival.span.span_id()
    );
    assert_eq!(sent, Some(&own), "the work's next hop");

    let mut at = arrival.span.span_id();
    let mut links = 0;
    let mut left = trace.len();
    while let Some(span) = by_id(&trace, at) {
        at = span.parent_span_id;
        links += span.links.len();
        left -= 1;
    }
    assert_eq!(left, 0, "spans beside the receiver's ancestors: {trace:#?}");
    assert_eq!(links, 0, "a span has one parent and no link: {trace:#?}");
    at
}

/// A message without any context starts a new trace with no link; without an SDK, or spans of the
/// adapter, it passes nothing on.
///
/// # Panics
///
/// If the adapter does not.
pub async fn no_context_starts_a_root<H: Harness>() {
    let bench = Bench::<H>::without_sdk().await;
    let arrival = sent(bench.pass_raw(Vec::new(), "ok:").await);
    assert_from_nowhere(&arrival);
    bench.stop().await;

    let bench = Bench::<H>::with_sdk().await;
    let arrival = sent(bench.pass_raw(Vec::new(), "ok:").await);
    if H::TRAITS.spans == 0 {
        assert_from_nowhere(&arrival);
        return;
    }
    let trace_id = arrival.span.trace_id();
    assert!(arrival.span.is_valid(), "the work has no span");
    ended(&bench.spans, trace_id, 1).await;
    let spans = bench.stop().await;
    let span = by_id(&spans, arrival.span.span_id());
    let root = span.is_some_and(|s| s.parent_span_id == SpanId::INVALID && s.links.is_empty());
    assert!(root, "no root without links: {span:#?}");
    let names: Vec<_> = arrival.fields.keys().collect();
    assert_eq!(names, ["traceparent"], "the work's next hop");
}

fn assert_from_nowhere(arrival: &Arrival) {
    assert!(!arrival.span.is_valid(), "from nowhere: {arrival:#?}");
    assert!(arrival.fields.is_empty(), "from nowhere: {arrival:#?}");
}

#[expect(clippy::expect_used, reason = "a failed check of the suite")]
fn sent(arrival: Option<Arrival>) -> Arrival {
    arrival.expect("a message without fields can be sent on every transport")
}
