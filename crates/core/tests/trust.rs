//! What each degree of trust lets in, and the byte budget.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::{Carrier, Propagation, Rejected, Remote, Trust};
use opentelemetry::Context;
use support::{SPAN_ID, Sent, TRACE_ID, fields, sent, traceparent};

fn remote(carrier: &impl Carrier, trust: &Trust) -> Remote {
    Propagation::w3c().remote(carrier, trust)
}

fn passes(carrier: &impl Carrier, trust: &Trust) -> Sent {
    sent(&remote(carrier, trust).attach_to(&Context::new()))
}

fn full() -> Sent {
    fields([
        ("traceparent", &traceparent(3)),
        ("tracestate", "a@b@c=1"),
        ("baggage", "a=1,b=2;p,Tenant=3"),
    ])
}

fn without<const N: usize>(names: [&str; N]) -> Sent {
    let mut fields = full();
    fields.retain(|name, _| !names.contains(&name.as_str()));
    fields
}

#[test]
fn the_default_takes_everything() {
    assert_eq!(Trust::default(), Trust::trusted());
    assert_eq!(passes(&full(), &Trust::default()), full());
    assert!(!remote(&full(), &Trust::default()).is_link_only());
}

#[test]
fn linked_gives_a_link_and_passes_nothing_on() {
    let remote = remote(&full(), &Trust::linked());
    assert!(remote.is_link_only());
    assert!(!remote.is_empty());
    let link = remote.to_link().expect("a link").span_context;
    assert_eq!(link.trace_id().to_string(), TRACE_ID);
    assert_eq!(link.span_id().to_string(), SPAN_ID);
    assert_eq!(sent(&remote.attach_to(&Context::new())), Sent::new());
}

#[test]
fn ignored_gives_nothing() {
    let remote = remote(&full(), &Trust::ignored());
    assert!(remote.is_empty());
    assert!(remote.to_link().is_none());
    assert!(remote.span_context().is_none());
    assert_eq!(sent(&remote.attach_to(&Context::new())), Sent::new());
}

#[test]
fn listed_baggage_is_let_in_by_any_trust() {
    let only_b = fields([("baggage", "b=2;p")]);
    for trust in [Trust::linked(), Trust::ignored()] {
        assert_eq!(passes(&full(), &trust.baggage_keys(["b"])), only_b);
    }
    let trust = Trust::trusted().baggage_keys(["b", "tenant"]);
    let sent = passes(&full(), &trust);
    assert_eq!(sent["baggage"], "b=2;p", "keys compare by case");
    assert_eq!(sent["tracestate"], "a@b@c=1");
    let none = Trust::trusted().baggage_keys::<String>([]);
    assert_eq!(passes(&full(), &none), without(["baggage"]));
}

#[test]
fn the_caller_of_an_untrusted_boundary_keeps_its_own_context() {
    let own = "00-11111111111111111111111111111111-2222222222222222-01";
    let own = support::received([("traceparent", own)]);
    for trust in [Trust::linked(), Trust::ignored()] {
        let context = remote(&full(), &trust).attach_to(&own);
        assert_eq!(sent(&context), sent(&own));
    }
}

#[test]
fn the_budget_is_one_for_all_fields_and_tracestate_comes_first() {
    let bytes = |bytes| passes(&full(), &Trust::trusted().max_bytes(bytes));
    let (state, baggage) = (full()["tracestate"].len(), full()["baggage"].len());
    assert_eq!(bytes(state + baggage), full());
    assert_eq!(bytes(state + baggage - 1), without(["baggage"]));
    assert_eq!(bytes(state), without(["baggage"]));
    assert_eq!(bytes(0), without(["tracestate", "baggage"]));
}

#[test]
fn a_field_that_does_not_fit_leaves_its_bytes_to_the_next() {
    let mut carrier = full();
    carrier.insert("tracestate".to_owned(), format!("k={}", "v".repeat(100)));
    let sent = passes(&carrier, &Trust::trusted().max_bytes(99));
    assert_eq!(sent, without(["tracestate"]));
}

#[test]
fn a_bomb_over_many_values_is_dropped_whole() {
    let mut carrier = vec![("traceparent".to_owned(), traceparent(1))];
    let value = |n| ("baggage".to_owned(), format!("k{n}={}", "v".repeat(100)));
    carrier.extend((0..1_000).map(value));
    let before = Rejected::so_far();
    let sent = passes(&carrier, &Trust::trusted());
    assert_eq!(sent, fields([("traceparent", &traceparent(1))]));
    assert!(Rejected::so_far().over_budget > before.over_budget);
}

/// Baggage that is not taken is not even read.
#[test]
fn what_is_not_trusted_is_not_read() {
    struct Bomb;

    impl Carrier for Bomb {
        fn values_of<'a>(
            &'a self,
            field: dynamo_trace_core::Field<'a>,
        ) -> impl Iterator<Item = &'a [u8]> {
            assert!(
                field.is("traceparent") || field.is("tracestate"),
                "{field:?}"
            );
            std::iter::empty()
        }

        fn field_names(&self) -> impl Iterator<Item = &str> {
            std::iter::empty()
        }
    }

    assert!(remote(&Bomb, &Trust::linked()).is_empty());
}

#[test]
fn what_is_refused_is_counted() {
    let before = Rejected::so_far();
    let parent = traceparent(1);
    let _ = remote(&fields([("traceparent", "00-1-2-1")]), &Trust::trusted());
    let bad_state = fields([("traceparent", parent.as_str()), ("tracestate", "A=1")]);
    let _ = remote(&bad_state, &Trust::trusted());
    let after = Rejected::so_far();
    assert!(after.traceparent > before.traceparent);
    assert!(after.tracestate > before.tracestate);
}
