use crate::conformance::bench::Bench;
use crate::conformance::caller::Caller;
use crate::conformance::harness::Harness;
use crate::conformance::spans::{
    assert_cancelled, assert_complete, assert_failed, ended, of_trace,
};
use crate::conformance::wait::{wait_for, within};
use crate::conformance::work::{Arrival, State};
use opentelemetry_sdk::trace::SpanData;
use std::pin::pin;

/// Every span ends once, complete.
///
/// # Panics
///
/// If the adapter does not.
pub async fn spans_end_on_success<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let caller = Caller::new(0, 1);
    bench.pass(&caller, "ok:").await;
    ended(&bench.spans, caller.trace_id(), H::TRAITS.spans).await;
    let spans = of_trace(&bench.stop().await, caller.trace_id());
    assert_eq!(spans.len(), H::TRAITS.spans, "{spans:#?}");
    spans.iter().for_each(assert_complete);
}

/// Every span ends once; the receiver's as failed, and the sender's too where the transport
/// replies.
///
/// # Panics
///
/// If the adapter does not.
pub async fn spans_end_on_error<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let caller = Caller::new(0, 1);
    let sent = bench.send(caller.context(), "fail:").await;
    assert_eq!(sent.is_err(), H::TRAITS.replies, "send() gave {sent:?}");
    let arrival = bench.returned("fail:").await;
    ended(&bench.spans, caller.trace_id(), H::TRAITS.spans).await;
    let spans = of_trace(&bench.stop().await, caller.trace_id());
    assert_eq!(spans.len(), H::TRAITS.spans, "{spans:#?}");
    for span in &spans {
        if H::TRAITS.replies || is_receiver(span, &arrival) {
            assert_failed(span);
        } else {
            assert_complete(span);
        }
    }
}

/// The caller gives up while the receiver works: every span ends once, as cancelled. The
/// sender's does so at once, the receiver's no later than with the receiver.
///
/// Where the transport does not reply there is nothing to give up, and the sender's spans are
/// complete by then.
///
/// # Panics
///
/// If the adapter does not.
pub async fn spans_end_on_cancel<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let caller = Caller::new(0, 1);
    let arrival = give_up(&bench, &caller).await;
    // Those of the sender and of layers beside it: all but the receiver's.
    let sender = H::TRAITS.spans.saturating_sub(1);
    ended(&bench.spans, caller.trace_id(), sender).await;
    let spans = of_trace(&bench.stop().await, caller.trace_id());
    assert_given_up::<H>(&spans, &arrival);
}

/// The receiver goes away while it works: every span ends once, that of the work as cancelled.
///
/// # Panics
///
/// If the adapter does not.
pub async fn spans_end_on_stop<H: Harness>() {
    let bench = Bench::<H>::with_sdk().await;
    let caller = Caller::new(0, 1);
    let arrival = give_up(&bench, &caller).await;
    let arrivals = bench.arrivals();
    let spans = of_trace(&bench.stop().await, caller.trace_id());
    assert_given_up::<H>(&spans, &arrival);
    wait_for(arrivals, "stop() to drop the work", |arrivals| {
        let mut arrivals = arrivals.iter();
        arrivals.all(|a| a.state == State::Dropped).then_some(())
    })
    .await;
}

/// Sends what hangs, and drops the call once it has arrived.
async fn give_up<H: Harness>(bench: &Bench<H>, caller: &Caller) -> Arrival {
    const PAYLOAD: &str = "hang:";
    let sending = within("a call that hangs", async {
        let mut sending = pin!(bench.sending(caller.context(), PAYLOAD));
        let arriving = bench.arrived(PAYLOAD, State::Running);
        tokio::select! {
            biased;
            arrival = arriving => arrival,
            sent = &mut sending => {
                assert!(!H::TRAITS.replies, "send() gave {sent:?} while the work hangs");
                assert_eq!(sent, Ok(()));
                bench.arrived(PAYLOAD, State::Running).await
            }
        }
    });
    sending.await
}

fn assert_given_up<H: Harness>(spans: &[SpanData], arrival: &Arrival) {
    assert_eq!(spans.len(), H::TRAITS.spans, "{spans:#?}");
    for span in spans {
        if H::TRAITS.replies || is_receiver(span, arrival) {
            assert_cancelled(span);
        } else {
            assert_complete(span);
        }
    }
}

fn is_receiver(span: &SpanData, arrival: &Arrival) -> bool {
    span.span_context.span_id() == arrival.span.span_id()
}
