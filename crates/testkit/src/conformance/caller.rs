//! The context in which the suite sends.

use super::work::Arrival;
use dynamo_trace_core::Propagation;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceId};
use pin_project_lite::pin_project;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::Poll;

/// A caller that itself was called with these fields.
#[derive(Clone, Debug)]
pub(super) struct Caller(Vec<(String, String)>);

impl Caller {
    /// The `n`th trace, with these flags.
    pub(super) fn new(n: usize, flags: u8) -> Self {
        let n = n + 1;
        let traceparent = format!("00-{n:032x}-{n:016x}-{flags:02x}");
        Self(Vec::new()).with("traceparent", traceparent)
    }

    pub(super) fn with(mut self, field: &str, value: impl Into<String>) -> Self {
        self.0.push((field.to_owned(), value.into()));
        self
    }

    /// One that has baggage, but no trace.
    pub(super) fn untraced(baggage: &str) -> Self {
        Self(Vec::new()).with("baggage", baggage)
    }

    /// The next hop after the work.
    pub(super) fn after(arrival: &Arrival) -> Self {
        Self(arrival.fields.clone().into_iter().collect())
    }

    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut own = self.0.iter();
        own.find_map(|(field, value)| (field == name).then_some(value.as_str()))
    }

    pub(super) fn context(&self) -> Context {
        Propagation::w3c().extract(&Context::new(), &self.0)
    }

    pub(super) fn span(&self) -> SpanContext {
        self.context().span().span_context().clone()
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.span().trace_id()
    }
}

/// Fails if a span or baggage is current where nothing should be.
pub(super) fn assert_nothing_current(when: &str) {
    let current = Context::current();
    let span = current.span().span_context().clone();
    assert!(!span.is_valid(), "{when}, this span is current: {span:?}");
    assert!(current.baggage().is_empty(), "{when}, baggage is current");
}

pin_project! {
    /// Runs a future in a context, and fails if its poll leaves another one behind.
    pub(super) struct Calling<F> {
        context: Context,
        #[pin]
        future: F,
    }
}

impl<F> Calling<F> {
    pub(super) const fn new(context: Context, future: F) -> Self {
        Self { context, future }
    }
}

impl<F: Future> Future for Calling<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = {
            let _current = this.context.clone().attach();
            this.future.poll(cx)
        };
        assert_nothing_current("after a poll of send()");
        polled
    }
}
