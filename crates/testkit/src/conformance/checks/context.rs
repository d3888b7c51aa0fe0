use crate::conformance::bench::Bench;
use crate::conformance::caller::{Caller, assert_nothing_current};
use crate::conformance::harness::Harness;
use crate::conformance::spans::{ended, of_trace};
use crate::conformance::work::State;
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The work sees the same current span whenever it runs.
///
/// # Panics
///
/// If the adapter does not see to it.
pub async fn context_is_current_across_yields<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let arrival = bench.pass(&Caller::new(0, 1), "yield:").await;
    assert_eq!(arrival.span.trace_id(), Caller::new(0, 1).trace_id());
    assert!(arrival.steady, "the current span changed: {arrival:#?}");
    bench.stop().await;
}

/// Neither side leaves its context behind on the thread: after every poll of `send`, while the
/// work hangs, when it is dropped, and when all is done. Runs on one thread, where whatever is
/// left behind is seen.
///
/// # Panics
///
/// If the adapter does.
pub async fn context_is_gone_afterwards<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    assert_nothing_current("after the start");
    let caller = Caller::new(0, 1).with("baggage", "k=v");
    bench.pass(&caller, "yield:").await;
    assert_nothing_current("after send()");
    let _ = bench.send(caller.context(), "fail:").await;
    bench.returned("fail:").await;
    assert_nothing_current("after work that failed");
    {
        let mut sending = pin!(bench.sending(caller.context(), "hang:"));
        let arriving = pin!(bench.arrived("hang:", State::Running));
        tokio::select! {
            biased;
            _ = arriving => {}
            _ = &mut sending => {}
        }
        bench.arrived("hang:", State::Running).await;
        assert_nothing_current("while the work hangs");
    }
    assert_nothing_current("after send() was dropped");
    bench.stop().await;
    assert_nothing_current("after the receiver stopped");
}

/// 1,000 sends at a time of 50, each of its own trace and baggage, whose work takes turns: each
/// payload arrives in its own.
///
/// # Panics
///
/// If the adapter mixes them.
pub async fn interleaved_sends_never_mix<H: Harness>() {
    const SENDS: usize = 1_000;
    let bench = Arc::new(Bench::<H>::with_sdk().await);
    let turns = Arc::new(Semaphore::new(50));
    let mut sends = JoinSet::new();
    for n in 0..SENDS {
        let (bench, turns) = (bench.clone(), turns.clone());
        sends.spawn(async move {
            let _turn = turns.acquire().await;
            bench.send(nth(n).context(), payload(n)).await
        });
    }
    for sent in sends.join_all().await {
        assert_eq!(sent, Ok(()));
    }
    let arrivals = bench.all_returned(SENDS).await;
    for n in 0..SENDS {
        ended(&bench.spans, nth(n).trace_id(), H::TRAITS.spans).await;
    }
    let mut numbers: Vec<_> = arrivals.iter().map(|a| a.payload.clone()).collect();
    numbers.sort_unstable();
    let mut expected: Vec<_> = (0..SENDS).map(payload).collect();
    expected.sort_unstable();
    assert!(numbers == expected, "payloads lost or repeated");
    for arrival in &arrivals {
        let n = number(&arrival.payload);
        let caller = nth(n);
        assert!(arrival.steady, "the current span changed: {arrival:#?}");
        assert_eq!(arrival.span.trace_id(), caller.trace_id(), "{arrival:#?}");
        let baggage = caller.field("baggage").filter(|_| H::TRAITS.baggage);
        let arrived = arrival.fields.get("baggage").map(String::as_str);
        assert_eq!(arrived, baggage, "{arrival:#?}");
    }
    let Some(bench) = Arc::into_inner(bench) else {
        return;
    };
    let spans = bench.stop().await;
    for n in [0, SENDS / 2, SENDS - 1] {
        let trace = of_trace(&spans, nth(n).trace_id());
        assert_eq!(trace.len(), H::TRAITS.spans, "{trace:#?}");
    }
}

fn nth(n: usize) -> Caller {
    Caller::new(n, 1).with("baggage", format!("n={n}"))
}

fn payload(n: usize) -> Bytes {
    format!("yield:{n}").into()
}

fn number(payload: &Bytes) -> usize {
    let digits = payload.strip_prefix(b"yield:").unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or(usize::MAX)
}
