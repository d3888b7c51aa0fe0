//! Guards, and the futures and streams that run inside their spans.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::span::Verdict;
use dynamo_trace_core::{Ending, SpanGuard};
use futures_core::Stream;
use opentelemetry::trace::{SpanBuilder, SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use support::{Sdk, attribute, ending, no_sdk, received, traceparent};

fn start(sdk: &Sdk) -> SpanGuard {
    sdk.instrumentation
        .start(SpanBuilder::from_name("span"), &Context::new())
}

fn current() -> SpanContext {
    Context::current().span().span_context().clone()
}

#[test]
fn each_ending_stands_on_the_span() {
    let cases = [
        (Ending::Complete, "complete"),
        (Ending::failed("500"), "failed: 500"),
        (Ending::failed_with(&1_u8), "failed: u8"),
        (Ending::Cancelled, "cancelled"),
        (Ending::Shutdown, "shutdown"),
    ];
    for (given, expected) in cases {
        let sdk = Sdk::new();
        start(&sdk).end(given);
        assert_eq!(ending(&sdk.span()), expected);
    }
}

#[test]
fn a_dropped_guard_ends_its_span_as_cancelled() {
    let sdk = Sdk::new();
    drop(start(&sdk));
    assert_eq!(ending(&sdk.span()), "cancelled");
}

#[test]
fn a_guard_dropped_in_a_panic_failed() {
    let sdk = Sdk::new();
    let guard = start(&sdk);
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(ending(&sdk.span()), "failed: panic");
}

#[test]
fn a_guard_that_leaves_its_context_ends_the_span() {
    let sdk = Sdk::new();
    let context = start(&sdk).into_context();
    assert_eq!(ending(&sdk.span()), "cancelled");
    assert!(context.span().span_context().is_valid());
}

#[test]
fn a_verdict_overrules_every_ending() {
    let endings = [
        Ending::Complete,
        Ending::failed("other"),
        Ending::Cancelled,
        Ending::Shutdown,
    ];
    for given in endings {
        let sdk = Sdk::new();
        let verdict = Verdict::default();
        let guard = start(&sdk).with_verdict(verdict.clone());
        verdict.fail("503");
        verdict.fail("too late: one is enough");
        guard.end(given);
        let span = sdk.span();
        assert_eq!(ending(&span), "failed: 503");
        let types = span.attributes.iter().map(|kv| kv.key.as_str());
        assert_eq!(types.filter(|key| *key == "error.type").count(), 1);
    }
    let sdk = Sdk::new();
    let verdict = Verdict::default();
    let dropped = start(&sdk).with_verdict(verdict.clone());
    verdict.fail("503");
    drop(dropped);
    assert_eq!(ending(&sdk.span()), "failed: 503");
}

#[test]
fn without_a_verdict_by_the_end_the_ending_counts() {
    for (given, expected) in [
        (Ending::Complete, "complete"),
        (Ending::failed("other"), "failed: other"),
        (Ending::Cancelled, "cancelled"),
    ] {
        let sdk = Sdk::new();
        let verdict = Verdict::default();
        start(&sdk).with_verdict(verdict.clone()).end(given);
        verdict.fail("503");
        assert_eq!(ending(&sdk.span()), expected);
    }
}

#[test]
fn clones_of_the_context_neither_delay_nor_repeat_the_end() {
    let sdk = Sdk::new();
    let guard = start(&sdk);
    let clone = guard.context().clone();
    let child = clone.with_value(1);
    guard.end(Ending::Complete);
    assert_eq!(ending(&sdk.span()), "complete");
    clone.span().set_attribute(KeyValue::new("late", true));
    clone.span().end();
    drop((clone, child));
    assert_eq!(attribute(&sdk.span(), "late"), None);
}

#[test]
fn attributes_are_built_only_where_they_are_recorded() {
    let sdk = Sdk::new();
    let guard = start(&sdk);
    assert!(guard.is_recording());
    guard.set_attributes([KeyValue::new("key", "value")]);
    guard.end(Ending::Complete);
    assert_eq!(attribute(&sdk.span(), "key").as_deref(), Some("value"));

    let unsampled = received([("traceparent", &traceparent(0))]);
    let builder = SpanBuilder::from_name("span");
    for instrumentation in [&sdk.instrumentation, &no_sdk()] {
        let guard = instrumentation.start(builder.clone(), &unsampled);
        assert!(!guard.is_recording());
        guard.set_attributes(std::iter::from_fn(|| panic!("not asked for")));
    }
    assert_eq!(sdk.ended().len(), 1, "the unsampled spans are not there");
}

/// A future and a stream that take down the current span whenever they run, and when they are
/// dropped.
#[derive(Clone, Default)]
struct Probe(Arc<Mutex<Vec<SpanContext>>>);

impl Probe {
    fn note(&self) {
        self.0.lock().expect("one thread").push(current());
    }

    /// What was current `times` times, and nothing else.
    fn seen(&self, times: usize) -> SpanContext {
        let seen = std::mem::take(&mut *self.0.lock().expect("one thread"));
        assert_eq!(seen.len(), times);
        let first = seen.first().expect("seen").clone();
        assert!(seen.iter().all(|span| *span == first), "{seen:#?}");
        first
    }
}

struct Probing {
    probe: Probe,
    polls_left: usize,
}

fn probing(polls_left: usize) -> (Probe, Probing) {
    let probe = Probe::default();
    let probing = Probing {
        probe: probe.clone(),
        polls_left,
    };
    (probe, probing)
}

impl Future for Probing {
    type Output = u8;

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<u8> {
        self.probe.note();
        match self.polls_left.checked_sub(1) {
            Some(left) => {
                self.polls_left = left;
                Poll::Pending
            }
            None => Poll::Ready(7),
        }
    }
}

/// Gives one item in each poll.
impl Stream for Probing {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<usize>> {
        self.probe.note();
        let left = self.polls_left.checked_sub(1);
        self.polls_left = left.unwrap_or(0);
        Poll::Ready(left)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.polls_left, Some(self.polls_left))
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.probe.note();
    }
}

fn noop() -> std::task::Context<'static> {
    std::task::Context::from_waker(Waker::noop())
}

#[test]
fn a_future_has_its_span_in_every_poll_and_in_its_drop() {
    let sdk = Sdk::new();
    let (probe, future) = probing(2);
    let mut future = pin!(start(&sdk).run(future));
    for _ in 0..2 {
        assert!(future.as_mut().poll(&mut noop()).is_pending());
        assert_eq!(current(), SpanContext::NONE);
    }
    assert!(sdk.ended().is_empty());
    assert_eq!(future.as_mut().poll(&mut noop()), Poll::Ready(7));
    assert_eq!(current(), SpanContext::NONE);
    // Dropped as soon as it is ready, before the span ends.
    let own = probe.seen(4);
    let span = sdk.span();
    assert_eq!(own, span.span_context);
    assert_eq!(ending(&span), "complete");
    assert!(
        future.as_mut().poll(&mut noop()).is_pending(),
        "once is enough"
    );
}

#[test]
fn a_future_that_is_dropped_has_its_span_then() {
    let sdk = Sdk::new();
    let (probe, future) = probing(9);
    {
        let mut future = pin!(start(&sdk).run(future));
        assert!(future.as_mut().poll(&mut noop()).is_pending());
    }
    assert_eq!(current(), SpanContext::NONE);
    let span = sdk.span();
    assert_eq!(probe.seen(2), span.span_context);
    assert_eq!(ending(&span), "cancelled");
}

#[test]
fn the_output_decides_on_the_ending() {
    for (limit, expected) in [(9, "complete"), (0, "failed: too large")] {
        let sdk = Sdk::new();
        let judge = |output: &u8| match output {
            0..=9 => Ending::Complete,
            _ => Ending::failed("too large"),
        };
        let output = if limit == 9 { 7 } else { 70 };
        let mut future = pin!(start(&sdk).run_judged(std::future::ready(output), judge));
        assert!(future.as_mut().poll(&mut noop()).is_ready());
        assert_eq!(ending(&sdk.span()), expected);
    }
}

#[test]
fn a_stream_has_its_span_in_every_poll_and_in_its_drop() {
    let sdk = Sdk::new();
    let (probe, stream) = probing(2);
    let mut stream = pin!(start(&sdk).run_stream(stream));
    assert_eq!(stream.size_hint(), (2, Some(2)));
    for left in [1, 0] {
        let item = stream.as_mut().poll_next(&mut noop());
        assert_eq!(item, Poll::Ready(Some(left)));
        assert_eq!(current(), SpanContext::NONE);
        assert!(sdk.ended().is_empty());
    }
    for _ in 0..2 {
        let item = stream.as_mut().poll_next(&mut noop());
        assert_eq!(item, Poll::Ready(None), "and again");
    }
    assert_eq!(stream.size_hint(), (0, Some(0)));
    let span = sdk.span();
    assert_eq!(probe.seen(4), span.span_context);
    assert_eq!(ending(&span), "complete");
}

#[test]
fn a_stream_that_is_dropped_has_its_span_then() {
    let sdk = Sdk::new();
    let (probe, stream) = probing(2);
    {
        let mut stream = pin!(start(&sdk).run_stream(stream));
        assert!(stream.as_mut().poll_next(&mut noop()).is_ready());
    }
    let span = sdk.span();
    assert_eq!(probe.seen(2), span.span_context);
    assert_eq!(ending(&span), "cancelled");
}

#[test]
fn a_panic_that_is_caught_outside_failed_the_span() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let sdk = Sdk::new();
    let work = start(&sdk).run(async { panic!("in the work") });
    let mut work = Box::pin(work);
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    let poll = AssertUnwindSafe(|| work.as_mut().poll(&mut cx));
    assert!(catch_unwind(poll).is_err());
    drop(work);
    let span = sdk.span();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("panic"));
}
