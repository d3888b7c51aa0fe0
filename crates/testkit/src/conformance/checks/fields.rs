use crate::conformance::bench::Bench;
use crate::conformance::caller::Caller;
use crate::conformance::harness::Harness;
use crate::conformance::spans::ended;
use crate::conformance::work::Arrival;
use opentelemetry::Context;
use opentelemetry::trace::TraceFlags;

/// Order, percent-encoding and properties that a map of decoded values would lose.
const BAGGAGE: &str = "z=1,a=x%20y%2Cz;p=1;q,k=%C3%A9,m=%41";

/// The sampled and the random flag arrive as they were; an unsampled trace stays unsampled and
/// records nothing.
///
/// # Panics
///
/// If the adapter does not.
pub async fn flags_arrive<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    for (n, payload) in ["ok:00", "ok:01", "ok:02", "ok:03"].into_iter().enumerate() {
        let flags = u8::try_from(n).unwrap_or(0);
        let caller = Caller::new(n, flags);
        let arrival = bench.pass(&caller, payload).await;
        let traceparent = Caller::after(&arrival).span();
        assert_eq!(traceparent.trace_id(), caller.trace_id(), "{payload}");
        assert_eq!(
            traceparent.trace_flags(),
            TraceFlags::new(flags),
            "{payload}"
        );
        let sampled = traceparent.is_sampled();
        if sampled {
            ended(&bench.spans, caller.trace_id(), H::TRAITS.spans).await;
        }
    }
    let spans = bench.stop().await;
    let unsampled = |n| Caller::new(n, 0).trace_id();
    let recorded = |s: &&opentelemetry_sdk::trace::SpanData| {
        [unsampled(0), unsampled(2)].contains(&s.span_context.trace_id())
    };
    let recorded: Vec<_> = spans.iter().filter(recorded).collect();
    assert!(recorded.is_empty(), "not sampled: {recorded:#?}");
}

/// A tracestate arrives whole and in order, with the keys of Level 2, sampled or not.
///
/// # Panics
///
/// If the adapter does not.
pub async fn tracestate_arrives<H: Harness>() {
    let full: Vec<_> = (0..32).map(|n| format!("k{n}=v{n}")).collect();
    let full = full.join(",");
    let states = ["foo=1,bar=2", "a@b@c=1", "bar=2,a@b@c=1,foo= 1", &full];
    let bench = Bench::<H>::with_sdk().await;
    let mut n = 0;
    for state in states {
        for flags in 0..=3 {
            n += 1;
            let caller = Caller::new(n, flags).with("tracestate", state);
            let arrival = bench.pass(&caller, format!("ok:{n}")).await;
            assert_eq!(field(&arrival, "tracestate"), Some(state), "flags {flags}");
        }
    }
    let arrival = bench.pass(&Caller::new(0, 1), "ok:none").await;
    assert_eq!(field(&arrival, "tracestate"), None, "never an empty one");
    bench.stop().await;
}

/// Baggage arrives as the text it was, order, encoding and properties included, with and
/// without a trace.
///
/// # Panics
///
/// If the adapter does not.
pub async fn baggage_arrives<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let expected = H::TRAITS.baggage.then_some(BAGGAGE);
    for flags in 0..=3 {
        let n = usize::from(flags);
        let caller = Caller::new(n, flags).with("baggage", BAGGAGE);
        let arrival = bench.pass(&caller, format!("ok:{n}")).await;
        assert_eq!(field(&arrival, "baggage"), expected, "flags {flags}");
    }
    let arrival = bench.pass(&Caller::new(4, 1), "ok:none").await;
    assert_eq!(field(&arrival, "baggage"), None, "never an empty one");
    let arrival = bench.pass(&Caller::untraced(BAGGAGE), "ok:alone").await;
    assert_eq!(field(&arrival, "baggage"), expected, "without a trace");
    bench.stop().await;
}

/// Where no SDK is installed, sender and receiver pass on exactly what the caller has, and
/// nothing if it has nothing.
///
/// # Panics
///
/// If the adapter does not.
pub async fn context_passes_through_without_sdk<H: Harness>() {
    let bench = Bench::<H>::without_sdk().await;
    for flags in 0..=3 {
        let n = usize::from(flags);
        let mut caller = Caller::new(n, flags).with("tracestate", "a@b@c=1,foo=1");
        if H::TRAITS.baggage {
            caller = caller.with("baggage", BAGGAGE);
        }
        let arrival = bench.pass(&caller, format!("ok:{n}")).await;
        assert_eq!(arrival.fields, caller.to_map(), "flags {flags}");
    }
    assert_eq!(bench.send(Context::new(), "ok:none").await, Ok(()));
    let arrival = bench.returned("ok:none").await;
    assert!(arrival.fields.is_empty(), "from nowhere: {arrival:#?}");
    bench.stop().await;
}

fn field<'a>(arrival: &'a Arrival, name: &str) -> Option<&'a str> {
    arrival.fields.get(name).map(String::as_str)
}
