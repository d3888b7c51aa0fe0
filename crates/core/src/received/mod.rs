//! Received messages: the item, and the remote context that came with it.
//!
//! No span exists until the receiver asks for one, so a prefetched or dropped message never
//! leaves a half-open span.

mod relation;

pub use relation::{Delivery, Relation, RelationRule};

use crate::instrumentation::{Detail, Instrumentation};
use crate::propagation::Remote;
use crate::span::{Ending, InSpan, SpanGuard, Verdict};
use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, TraceContextExt};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

/// How an adapter describes the span that processes an item; one for all items of a
/// subscription.
pub trait Consumer<T>: Send + Sync {
    /// Name, kind and attributes of the span.
    fn span(&self, item: &T) -> SpanBuilder;

    /// As [`span`](Self::span), with no more than is worth it. Not called where there is no SDK.
    fn span_with(&self, item: &T, detail: Detail) -> SpanBuilder {
        let _ = detail;
        self.span(item)
    }

    /// The adapter's tracer and propagation.
    fn instrumentation(&self) -> &Instrumentation;

    /// How the span relates to the sender's.
    fn relation(&self) -> RelationRule {
        RelationRule::default()
    }

    /// What the item will know of a failure before its work ends. Asked when the span has started,
    /// if it records.
    fn verdict(&self, _: &T) -> Option<Verdict> {
        None
    }
}

/// A received item and the remote context that came with it.
///
/// Reads as the item itself. [`process`](Self::process) starts the span of the work it causes.
pub struct Received<T> {
    item: T,
    remote: Remote,
    delivery: Delivery,
    consumer: Arc<dyn Consumer<T>>,
}

impl<T> Received<T> {
    /// Called by adapters.
    pub fn new(
        item: T,
        remote: Remote,
        delivery: Delivery,
        consumer: Arc<dyn Consumer<T>>,
    ) -> Self {
        Self {
            item,
            remote,
            delivery,
            consumer,
        }
    }

    /// What came with the item.
    #[must_use]
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The item alone; its context is dropped and no span starts.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.item
    }

    /// The item, what came with it, and how it arrived, for an adapter that makes an item of its
    /// own of it.
    #[must_use]
    pub fn into_parts(self) -> (T, Remote, Delivery) {
        (self.item, self.remote, self.delivery)
    }

    /// The item, and a context in which the sender's span is the current remote span; no span
    /// starts.
    #[must_use]
    pub fn into_context(self) -> (T, Context) {
        (self.item, self.remote.attach_to(&Context::current()))
    }

    /// Whether [`start`](Self::start) would continue the sender's trace or link to it.
    #[must_use]
    pub fn relation(&self) -> Relation {
        self.relation_in(&Context::current())
    }

    fn relation_in(&self, ambient: &Context) -> Relation {
        let rule = self.consumer.relation();
        let apart = self.remote.is_link_only() || ambient.span().span_context().is_valid();
        rule.apply(&self.delivery, apart, SystemTime::now)
    }

    /// Starts the span of the work that the item causes.
    ///
    /// A fresh single message continues the sender's trace. A stale one or one of a batch (see
    /// [`RelationRule`]), and one whose sender is not trusted that far, starts a trace of its own
    /// that links to the sender's. Where a span is current, that is the parent, its baggage
    /// stays, and the message is linked.
    pub fn start(self) -> (T, SpanGuard) {
        let ambient = Context::current();
        let relation = self.relation_in(&ambient);
        let instrumentation = self.consumer.instrumentation();
        let describe = |detail| self.consumer.span_with(&self.item, detail);
        let guard = match relation {
            Relation::Parent => {
                let parent = self.remote.attach_to_start(&ambient);
                instrumentation.start_with(parent, describe)
            }
            Relation::Link => {
                let link = self.remote.to_link();
                let linked = |detail| {
                    let mut builder = describe(detail);
                    if let Some(link) = link {
                        builder.links.get_or_insert_default().push(link);
                    }
                    builder
                };
                if ambient.span().span_context().is_valid() {
                    instrumentation.start_with(ambient, linked)
                } else {
                    start_linked(instrumentation, linked, self.remote, &ambient)
                }
            }
        };
        let verdict = guard
            .is_recording()
            .then(|| self.consumer.verdict(&self.item));
        let guard = match verdict.flatten() {
            Some(verdict) => guard.with_verdict(verdict),
            None => guard,
        };
        (self.item, guard)
    }

    /// Runs `work` on the item inside its span, which ends complete with the work.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work and ends the span as cancelled.
    pub fn process<F: Future>(self, work: impl FnOnce(T) -> F) -> InSpan<F> {
        let (item, guard) = self.start();
        let future = in_context(&guard, || work(item));
        guard.run(future)
    }

    /// Like [`process`](Self::process), for work that can fail: an error ends the span as failed,
    /// with the error's type as `error.type`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work and ends the span as cancelled.
    pub fn try_process<F, R, E>(self, work: impl FnOnce(T) -> F) -> InSpan<F>
    where
        F: Future<Output = Result<R, E>>,
    {
        let (item, guard) = self.start();
        let future = in_context(&guard, || work(item));
        guard.run_judged(future, |output| match output {
            Ok(_) => Ending::Complete,
            Err(error) => Ending::failed_with(error),
        })
    }
}

/// A root of its own. Where nothing starts one (no SDK), the sender's context passes through,
/// if it is trusted.
fn start_linked(
    instrumentation: &Instrumentation,
    describe: impl FnOnce(Detail) -> SpanBuilder,
    mut remote: Remote,
    ambient: &Context,
) -> SpanGuard {
    // The parent must have no span at all: an invalid one counts as unsampled to the SDK.
    let apart = remote.take_baggage().attach_to(ambient);
    let guard = instrumentation.start_with(apart.clone(), describe);
    if guard.context().span().span_context().is_valid() {
        guard
    } else {
        SpanGuard::not_recording(remote.attach_to(&apart))
    }
}

fn in_context<R>(guard: &SpanGuard, call: impl FnOnce() -> R) -> R {
    let _current = guard.context().clone().attach();
    call()
}

impl<T> Deref for Received<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: fmt::Debug> fmt::Debug for Received<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("item", &self.item)
            .field("remote", &self.remote)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
