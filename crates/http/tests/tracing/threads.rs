//! Spans of `tracing` where futures go from thread to thread.

use crate::telemetry::assert_child;
use crate::{Telemetry, dispatch, echo, named, relay, soon};
use http::Request;
use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tower::ServiceExt;
use tracing::dispatcher::set_default;
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, info_span};

/// Polls on a thread of its own, where nothing may be left.
fn poll_elsewhere<F: Future<Output: Send> + Send>(future: Pin<&mut F>) -> Poll<F::Output> {
    let poll = || {
        let poll = future.poll(&mut TaskContext::from_waker(Waker::noop()));
        assert!(!Context::current().has_active_span());
        poll
    };
    thread::scope(|scope| scope.spawn(poll).join().unwrap())
}

#[test]
fn an_instrumented_future_keeps_its_span() {
    const CALLS: usize = 3;
    let telemetry = Telemetry::new();
    let (dispatch, echo) = (dispatch(&telemetry), echo(&telemetry));
    let calls = async move {
        for _ in 0..CALLS {
            tokio::task::yield_now().await;
            echo.clone().oneshot(Request::new(())).await.unwrap();
        }
    };
    let span = {
        let _subscriber = set_default(&dispatch);
        info_span!("calls")
    };
    let mut calls = Box::pin(calls.instrument(span).with_subscriber(dispatch));
    let mut polls = 1;
    while poll_elsewhere(calls.as_mut()).is_pending() {
        polls += 1;
    }
    drop(calls);
    assert_eq!(polls, 2 * CALLS + 1);
    let runtime = Builder::new_current_thread().enable_time().build();
    let spans = runtime
        .unwrap()
        .block_on(telemetry.ended::<{ CALLS + 1 }>());
    let caller = &named(&spans, "calls").span_context;
    let calls = spans
        .iter()
        .filter(|span| span.span_kind == SpanKind::Client);
    for call in calls.clone() {
        assert_child(call, caller);
    }
    assert_eq!(calls.count(), CALLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_once_do_not_mix() {
    const REQUESTS: usize = 100;
    let telemetry = Telemetry::new();
    let (dispatch, relay) = (dispatch(&telemetry), relay(&telemetry));
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let served = relay.clone().oneshot(Request::new(()));
        requests.spawn(served.with_subscriber(dispatch.clone()));
    }
    while let Some(served) = soon(requests.join_next()).await {
        served.unwrap().unwrap();
    }
    let spans = telemetry.ended::<{ 4 * REQUESTS }>().await;
    let ids = spans.iter().map(|span| (span.span_context.span_id(), span));
    let ids: HashMap<_, _> = ids.collect();
    let parent = |span: &SpanData| {
        let parent = ids[&span.parent_span_id];
        assert_child(span, &parent.span_context);
        parent
    };
    let mut works = HashMap::new();
    for span in &spans {
        if span.name == "last" || span.span_kind == SpanKind::Client {
            let work = parent(span);
            assert_eq!(work.name, "work");
            let made: &mut usize = works.entry(work.span_context.span_id()).or_default();
            *made += 1;
            let served = parent(work);
            assert_eq!(served.span_kind, SpanKind::Server);
        }
    }
    // The call and the last one.
    assert_eq!(works.len(), REQUESTS);
    assert!(works.values().all(|made| *made == 2), "{works:?}");
}
