//! How often propagation allocates. Counted, not timed: the numbers are the same everywhere.

use allocation_counter::measure;
use dynamo_trace_core::w3c::TraceParent;
use dynamo_trace_core::{CarrierMut, Field, Propagation};
use http::HeaderMap;
use opentelemetry::Context;
use std::hint::black_box;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.set_field(Field::TraceParent, TRACEPARENT);
    headers
}

/// Counts the second call, when what is built once has been built.
fn allocations(mut call: impl FnMut()) -> u64 {
    call();
    measure(call).count_total
}

#[test]
fn parsing_and_formatting_a_traceparent() {
    let count = allocations(|| {
        let parsed = TraceParent::parse(black_box(TRACEPARENT.as_bytes()));
        black_box(parsed.map(|parent| parent.format())).ok();
    });
    assert_eq!(count, 0);
}

#[test]
fn refusing_a_traceparent() {
    let count = allocations(|| {
        black_box(TraceParent::parse(black_box(b"00-1-2-1"))).ok();
    });
    assert_eq!(count, 0);
}

#[test]
fn extracting_a_traceparent() {
    let (propagation, root, headers) = (Propagation::w3c(), Context::new(), headers());
    let count = allocations(|| {
        black_box(propagation.extract(&root, &headers));
    });
    assert!(count <= 1, "{count}");
}

#[test]
fn extracting_where_there_is_nothing() {
    let (propagation, root, headers) = (Propagation::w3c(), Context::new(), HeaderMap::new());
    let count = allocations(|| {
        black_box(propagation.extract(&root, &headers));
    });
    assert_eq!(count, 0);
}

#[test]
fn injecting_into_headers_that_have_a_traceparent() {
    let propagation = Propagation::w3c();
    let mut headers = headers();
    let context = propagation.extract(&Context::new(), &headers);
    let count = allocations(|| propagation.inject(&context, &mut headers));
    assert!(count <= 1, "{count}");
}

#[test]
fn injecting_nothing() {
    let (propagation, root, mut headers) = (Propagation::w3c(), Context::new(), headers());
    let count = allocations(|| propagation.inject(&root, &mut headers));
    assert_eq!(count, 0);
}
