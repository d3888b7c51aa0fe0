//! Received messages: how their spans relate to the sender's, and how they end.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed step fails the test"
)]

mod support;

use dynamo_trace_core::received::{Consumer, Delivery, RelationRule};
use dynamo_trace_core::span::Verdict;
use dynamo_trace_core::{Detail, Ending, Instrumentation, Propagation};
use dynamo_trace_core::{Received, Relation, Remote, Trust};
use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};
use support::{
    SPAN_ID, Sdk, Sent, TRACE_ID, ending, fields, links, no_sdk, parent, sent, traceparent,
};

struct Queue {
    instrumentation: Instrumentation,
    rule: RelationRule,
    verdict: Option<Verdict>,
}

impl Consumer<&'static str> for Queue {
    fn span(&self, item: &&'static str) -> SpanBuilder {
        SpanBuilder::from_name(format!("process {item}")).with_kind(SpanKind::Consumer)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }

    fn relation(&self) -> RelationRule {
        self.rule
    }

    fn verdict(&self, _: &&'static str) -> Option<Verdict> {
        self.verdict.clone()
    }
}

/// One message, and how it comes.
struct Case {
    trust: Trust,
    delivery: Delivery,
    rule: RelationRule,
    fields: Sent,
    verdict: Option<Verdict>,
}

impl Case {
    fn fresh() -> Self {
        Self {
            trust: Trust::trusted(),
            delivery: Delivery::default(),
            rule: RelationRule::default(),
            fields: fields([
                ("traceparent", &traceparent(3)),
                ("tracestate", "a@b@c=1"),
                ("baggage", "k=v"),
            ]),
            verdict: None,
        }
    }

    fn sent_before(age: Duration) -> Self {
        let mut case = Self::fresh();
        case.delivery.sent_at = Some(SystemTime::now() - age);
        case
    }

    fn ruled(mut self, rule: RelationRule) -> Self {
        self.rule = rule;
        self
    }

    fn received(&self, instrumentation: &Instrumentation) -> Received<&'static str> {
        let remote = Propagation::w3c().remote(&self.fields, &self.trust);
        let queue = Queue {
            instrumentation: instrumentation.clone(),
            rule: self.rule,
            verdict: self.verdict.clone(),
        };
        Received::new("job", remote, self.delivery, Arc::new(queue))
    }

    /// Processes the message and checks that the span has this relation; gives what the work
    /// sends on.
    fn relates(&self, relation: Relation) -> Sent {
        let sdk = Sdk::new();
        let received = self.received(&sdk.instrumentation);
        assert_eq!(received.relation(), relation);
        let (item, guard) = received.start();
        assert_eq!(item, "job");
        let sent = sent(guard.context());
        guard.end(Ending::Complete);
        let span = sdk.span();
        assert_eq!(span.name, "process job");
        assert_eq!(span.span_kind, SpanKind::Consumer);
        let own_trace = span.span_context.trace_id().to_string() != TRACE_ID;
        match relation {
            Relation::Parent => {
                assert_eq!(parent(&span).as_deref(), Some(SPAN_ID));
                assert_eq!(links(&span), [""; 0]);
                assert!(!own_trace);
            }
            Relation::Link => {
                assert_eq!(parent(&span), None);
                assert_eq!(links(&span), [SPAN_ID]);
                assert!(own_trace);
            }
        }
        let own = &span.span_context;
        assert!(sent["traceparent"].contains(&own.span_id().to_string()));
        sent
    }
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_fresh_single_message_is_a_child() {
    let sent = Case::fresh().relates(Relation::Parent);
    assert!(sent["traceparent"].ends_with("-03"));
    assert_eq!(sent["tracestate"], "a@b@c=1");
    assert_eq!(sent["baggage"], "k=v");
    Case::sent_before(Duration::from_secs(1)).relates(Relation::Parent);
}

#[test]
fn a_stale_message_is_linked_and_keeps_its_baggage() {
    let sent = Case::sent_before(LONG).relates(Relation::Link);
    assert_eq!(
        sent.get("tracestate"),
        None,
        "it belongs to the sender's trace"
    );
    assert_eq!(sent["baggage"], "k=v");
    let rule = RelationRule::fresh_within(2 * LONG);
    Case::sent_before(LONG)
        .ruled(rule)
        .relates(Relation::Parent);
    let rule = RelationRule::fresh_within(Duration::ZERO);
    Case::sent_before(LONG).ruled(rule).relates(Relation::Link);
}

#[test]
fn a_message_from_the_future_is_fresh() {
    let mut case = Case::fresh();
    case.delivery.sent_at = Some(SystemTime::now() + LONG);
    case.relates(Relation::Parent);
}

#[test]
fn a_repeated_message_is_linked() {
    let mut case = Case::fresh();
    case.delivery.repeated = true;
    case.relates(Relation::Link);
}

#[test]
fn a_message_of_a_batch_is_linked() {
    let mut case = Case::fresh();
    case.delivery.batch = true;
    case.relates(Relation::Link);
}

#[test]
fn the_relation_can_be_forced_both_ways() {
    let always = RelationRule::always;
    Case::sent_before(LONG)
        .ruled(always(Relation::Parent))
        .relates(Relation::Parent);
    Case::fresh()
        .ruled(always(Relation::Link))
        .relates(Relation::Link);
}

#[test]
fn where_trust_allows_links_only_it_is_linked_even_if_forced() {
    let mut case = Case::fresh().ruled(RelationRule::always(Relation::Parent));
    case.trust = Trust::linked();
    let sent = case.relates(Relation::Link);
    assert_eq!(sent.len(), 1, "no tracestate, no baggage: {sent:?}");
}

#[test]
fn an_adapter_links_an_item_of_its_own_to_who_sent_another() {
    let sdk = Sdk::new();
    let mut case = Case::fresh().ruled(RelationRule::always(Relation::Parent));
    case.delivery.batch = true;
    let queue = Arc::new(Queue {
        instrumentation: sdk.instrumentation.clone(),
        rule: case.rule,
        verdict: None,
    });
    let (item, remote, delivery) = case.received(&sdk.instrumentation).into_parts();
    assert!(delivery.batch);
    let sender = remote.span_context().cloned().expect("a sender");
    let linked = Remote::linked(sender.clone());
    let (_, guard) = Received::new(item, linked, delivery, queue).start();
    guard.end(Ending::Complete);
    let span = sdk.span();
    assert_eq!(parent(&span), None);
    assert_eq!(span.links.links[0].span_context, sender);
    assert!(Remote::linked(SpanContext::NONE).to_link().is_none());
}

#[test]
fn where_the_sender_is_ignored_there_is_no_link_either() {
    let mut case = Case::fresh();
    case.trust = Trust::ignored();
    let sdk = Sdk::new();
    drop(case.received(&sdk.instrumentation).start());
    let span = sdk.span();
    assert_eq!((parent(&span), links(&span)), (None, Vec::new()));
    assert_ne!(span.span_context.trace_id().to_string(), TRACE_ID);
}

#[test]
fn without_a_context_there_is_a_root_and_no_link() {
    for repeated in [false, true] {
        let mut case = Case::fresh();
        case.fields.clear();
        case.delivery.repeated = repeated;
        let sdk = Sdk::new();
        drop(case.received(&sdk.instrumentation).start());
        let span = sdk.span();
        assert_eq!((parent(&span), links(&span)), (None, Vec::new()));
    }
}

#[test]
fn an_unsampled_sender_does_not_keep_a_linked_message_from_being_sampled() {
    let mut case = Case::sent_before(LONG);
    case.fields = fields([("traceparent", &traceparent(0))]);
    case.relates(Relation::Link);
}

#[test]
fn where_a_span_is_current_it_is_the_parent_and_the_message_is_linked() {
    let rules = [
        RelationRule::default(),
        RelationRule::always(Relation::Parent),
    ];
    for rule in rules {
        let sdk = Sdk::new();
        let builder = SpanBuilder::from_name("poll");
        let ambient = sdk.instrumentation.start(builder, &Context::new());
        let received = Case::fresh().ruled(rule).received(&sdk.instrumentation);
        {
            let _current = ambient.context().clone().attach();
            assert_eq!(received.relation(), Relation::Link);
            drop(received.start());
        }
        let span = sdk.span();
        let ambient = ambient.span_context();
        assert_eq!(span.span_context.trace_id(), ambient.trace_id());
        assert_eq!(parent(&span), Some(ambient.span_id().to_string()));
        assert_eq!(links(&span), [SPAN_ID]);
    }
}

#[test]
fn a_link_of_the_adapters_own_is_kept() {
    struct Linked(Instrumentation);

    impl Consumer<()> for Linked {
        fn span(&self, (): &()) -> SpanBuilder {
            let own = "00-11111111111111111111111111111111-2222222222222222-01";
            let remote =
                Propagation::w3c().remote(&fields([("traceparent", own)]), &Trust::trusted());
            SpanBuilder::from_name("process").with_links(remote.to_link().into_iter().collect())
        }

        fn instrumentation(&self) -> &Instrumentation {
            &self.0
        }
    }

    let sdk = Sdk::new();
    let remote = Propagation::w3c().remote(&Case::fresh().fields, &Trust::linked());
    let consumer = Arc::new(Linked(sdk.instrumentation.clone()));
    drop(Received::new((), remote, Delivery::default(), consumer).start());
    assert_eq!(links(&sdk.span()), ["2222222222222222", SPAN_ID]);
}

#[test]
fn without_sdk_the_context_passes_through_whatever_the_relation() {
    let mut repeated = Case::fresh();
    repeated.delivery.repeated = true;
    for case in [Case::fresh(), repeated, Case::sent_before(LONG)] {
        let (_, guard) = case.received(&no_sdk()).start();
        assert_eq!(sent(guard.context()), case.fields);
    }
}

#[test]
fn without_sdk_a_sender_that_is_not_trusted_does_not_pass_through() {
    for trust in [Trust::linked(), Trust::ignored()] {
        let mut case = Case::fresh();
        case.trust = trust;
        let (_, guard) = case.received(&no_sdk()).start();
        assert_eq!(sent(guard.context()), Sent::new());
    }
}

fn current() -> SpanContext {
    Context::current().span().span_context().clone()
}

/// Polls a future until it is ready.
fn complete<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = std::task::Context::from_waker(Waker::noop());
    for _ in 0..10 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        assert_eq!(current(), SpanContext::NONE, "between the polls");
    }
    panic!("not ready after ten polls");
}

async fn yields() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[test]
fn process_runs_the_work_inside_and_completes() {
    let sdk = Sdk::new();
    let received = Case::fresh().received(&sdk.instrumentation);
    let (outside, inside) = complete(received.process(|item| {
        let outside = current();
        async move {
            yields().await;
            assert_eq!(item, "job");
            (outside, current())
        }
    }));
    let span = sdk.span();
    assert_eq!(outside, inside, "the closure runs inside as well");
    assert_eq!(inside.span_id(), span.span_context.span_id());
    assert_eq!(ending(&span), "complete");
    assert_eq!(current(), SpanContext::NONE);
}

#[test]
fn try_process_fails_with_the_type_of_the_error() {
    let sdk = Sdk::new();
    let received = Case::fresh().received(&sdk.instrumentation);
    let result = complete(received.try_process(async |_| "x".parse::<u8>()));
    assert!(result.is_err());
    assert_eq!(
        ending(&sdk.span()),
        "failed: core::num::error::ParseIntError"
    );

    let sdk = Sdk::new();
    let received = Case::fresh().received(&sdk.instrumentation);
    let result = complete(received.try_process(async |_| "1".parse::<u8>()));
    assert_eq!(result, Ok(1));
    assert_eq!(ending(&sdk.span()), "complete");
}

#[test]
fn what_the_item_knows_of_a_failure_ends_the_span() {
    let verdict = Verdict::default();
    let case = Case {
        verdict: Some(verdict.clone()),
        ..Case::fresh()
    };
    let sdk = Sdk::new();
    let received = case.received(&sdk.instrumentation);
    complete(received.process(async |_| verdict.fail("503")));
    let received = case.received(&sdk.instrumentation);
    let _ = complete(received.try_process(async |_| "x".parse::<u8>()));
    drop(case.received(&sdk.instrumentation).start());
    let ended = sdk.ended();
    assert_eq!(ended.len(), 3);
    for span in ended {
        assert_eq!(ending(&span), "failed: 503");
    }
}

#[test]
fn dropping_the_work_cancels_it() {
    let sdk = Sdk::new();
    let received = Case::fresh().received(&sdk.instrumentation);
    {
        let mut working = pin!(received.process(|_| std::future::pending::<()>()));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert!(working.as_mut().poll(&mut cx).is_pending());
        assert!(sdk.ended().is_empty());
    }
    assert_eq!(ending(&sdk.span()), "cancelled");

    let sdk = Sdk::new();
    let received = Case::fresh().received(&sdk.instrumentation);
    drop(received.process(|_| std::future::pending::<()>()));
    assert_eq!(ending(&sdk.span()), "cancelled", "never polled");
}

#[test]
fn a_message_that_nobody_processes_has_no_span() {
    let sdk = Sdk::new();
    let received = || Case::fresh().received(&sdk.instrumentation);
    drop(received());
    assert_eq!(received().into_inner(), "job");
    assert_eq!(received().len(), "job".len(), "it reads as the item");
    let (item, context) = received().into_context();
    assert_eq!(item, "job");
    assert_eq!(sent(&context), Case::fresh().fields);
    assert!(sdk.ended().is_empty());
}

/// Takes note of how much of its span is asked for.
struct Described {
    instrumentation: Instrumentation,
    asked: Mutex<Vec<Detail>>,
}

impl Consumer<()> for Described {
    fn span(&self, _: &()) -> SpanBuilder {
        SpanBuilder::from_name("process")
    }

    fn span_with(&self, item: &(), detail: Detail) -> SpanBuilder {
        self.asked.lock().expect("no panic").push(detail);
        self.span(item)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.instrumentation
    }
}

#[test]
fn no_more_of_a_span_is_built_than_is_worth_it() {
    let sdk = Sdk::new().instrumentation;
    let asked = |instrumentation: &Instrumentation, flags, trust: &Trust| {
        let described = Arc::new(Described {
            instrumentation: instrumentation.clone(),
            asked: Mutex::default(),
        });
        let headers = fields([("traceparent", &traceparent(flags))]);
        let remote = Propagation::w3c().remote(&headers, trust);
        let received = Received::new((), remote, Delivery::default(), described.clone());
        let ((), guard) = received.start();
        guard.end(Ending::Complete);
        described.asked.lock().expect("no panic").clone()
    };
    let (trusted, linked) = (Trust::trusted(), Trust::linked());
    assert_eq!(asked(&sdk, 1, &trusted), [Detail::Full]);
    assert_eq!(asked(&sdk, 0, &trusted), [Detail::Name]);
    // A root of its own.
    assert_eq!(asked(&sdk, 0, &linked), [Detail::Full]);
    for trust in [trusted, linked] {
        assert_eq!(asked(&no_sdk(), 1, &trust), []);
    }
}

#[test]
fn the_random_flag_of_a_message_stays_whether_its_span_records_or_not() {
    for flags in [2, 3] {
        for tracestate in ["", "a@b@c=1"] {
            let mut case = Case::fresh();
            let (parent, state) = (traceparent(flags), ("tracestate", tracestate));
            case.fields = fields([("traceparent", &parent), state]);
            let sdk = Sdk::new();
            let (_, guard) = case.received(&sdk.instrumentation).start();
            let own = sent(guard.context());
            let flags = format!("-0{flags}");
            assert!(own["traceparent"].ends_with(&flags), "{own:?}");
            // And so below it.
            let child = SpanBuilder::from_name("child");
            let child = sdk.instrumentation.start(child, guard.context());
            let own = sent(child.context());
            assert!(own["traceparent"].ends_with(&flags), "{own:?}");
        }
    }
}
