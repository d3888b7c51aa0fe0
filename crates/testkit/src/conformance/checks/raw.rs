use crate::conformance::bench::Bench;
use crate::conformance::harness::Harness;
use crate::vectors::{TRACEPARENT, WireField};

fn field(name: &str, value: &str) -> WireField {
    (name.to_owned(), value.into())
}

/// Fields are found in any case of their names, where the transport says so.
///
/// # Panics
///
/// If the adapter does not.
pub async fn field_names_compare_in_any_case<H: Harness>() {
    let spellings: &[fn(&str) -> String] = if H::TRAITS.case_insensitive {
        &[
            str::to_lowercase,
            str::to_uppercase,
            capitalized,
            alternating,
        ]
    } else {
        &[str::to_lowercase]
    };
    let bench = Bench::<H>::without_sdk().await;
    for spell in spellings {
        let name = spell("traceparent");
        let mut fields = vec![
            field(&name, TRACEPARENT),
            field(&spell("tracestate"), "foo=1"),
        ];
        if H::TRAITS.baggage {
            fields.push(field(&spell("baggage"), "k=v"));
        }
        let count = fields.len();
        let arrival = bench.pass_raw(fields, &format!("ok:{name}")).await;
        let arrived = arrival.map(|arrival| arrival.fields).unwrap_or_default();
        let traceparent = arrived.get("traceparent").map(String::as_str);
        assert_eq!(traceparent, Some(TRACEPARENT), "spelt {name}");
        assert_eq!(arrived.len(), count, "spelt like {name}: {arrived:#?}");
    }
    bench.stop().await;
}

fn capitalized(name: &str) -> String {
    let (head, tail) = name.split_at_checked(1).unwrap_or_default();
    head.to_uppercase() + tail
}

fn alternating(name: &str) -> String {
    let letter = |(at, c): (usize, char)| {
        if at % 2 == 0 {
            c
        } else {
            c.to_ascii_uppercase()
        }
    };
    name.chars().enumerate().map(letter).collect()
}

/// Two traceparents restart the trace, though they agree; values of `tracestate` and `baggage`
/// are joined in order.
///
/// # Panics
///
/// If the adapter does not, or if the harness sends such fields against its
/// [`Traits`](crate::conformance::Traits).
pub async fn repeated_fields_count<H: Harness>() {
    let twice = vec![
        field("traceparent", TRACEPARENT),
        field("traceparent", TRACEPARENT),
    ];
    let joined = vec![
        field("traceparent", TRACEPARENT),
        field("tracestate", "foo=1"),
        field("baggage", "a=1"),
        field("tracestate", "bar=2,baz=3"),
        field("baggage", "b=2,c=3"),
    ];
    let bench = Bench::<H>::without_sdk().await;
    let twice = bench.pass_raw(twice, "ok:twice").await;
    let joined = bench.pass_raw(joined, "ok:joined").await;
    bench.stop().await;
    assert_eq!(twice.is_some(), H::TRAITS.repeated_fields);
    assert_eq!(joined.is_some(), H::TRAITS.repeated_fields);
    let (Some(twice), Some(joined)) = (twice, joined) else {
        return;
    };
    assert_eq!(twice.fields.get("traceparent"), None, "sent twice");
    let arrived = |name| joined.fields.get(name).map(String::as_str);
    assert_eq!(arrived("tracestate"), Some("foo=1,bar=2,baz=3"));
    let baggage = H::TRAITS.baggage.then_some("a=1,b=2,c=3");
    assert_eq!(arrived("baggage"), baggage);
}

/// Baggage over the budget, spread over many values that are small each, is dropped: the call
/// succeeds and the trace goes on.
///
/// # Panics
///
/// If the adapter does not.
pub async fn a_baggage_bomb_is_dropped<H: Harness>() {
    const VALUES: usize = 60;
    let values: Vec<_> = (0..VALUES)
        .map(|n| format!("k{n}={}", "v".repeat(400)))
        .collect();
    let mut fields = vec![field("traceparent", TRACEPARENT)];
    if H::TRAITS.repeated_fields {
        fields.extend(values.iter().map(|value| field("baggage", value)));
    } else {
        fields.push(field("baggage", &values.join(",")));
    }
    let bytes: usize = fields.iter().map(|(_, value)| value.len()).sum();
    let bench = Bench::<H>::with_sdk().await;
    let arrival = bench.pass_raw(fields, "ok:bomb").await;
    let spans = bench.stop().await;
    assert_eq!(
        arrival.is_some(),
        bytes <= H::TRAITS.max_field_bytes,
        "a message with {bytes} bytes of fields"
    );
    let Some(arrival) = arrival else { return };
    let trace_id = arrival.span.trace_id().to_string();
    assert!(TRACEPARENT.contains(&trace_id), "the trace has to go on");
    assert_eq!(arrival.fields.get("baggage"), None);
    assert_eq!(spans.is_empty(), H::TRAITS.spans == 0, "{spans:#?}");
}
