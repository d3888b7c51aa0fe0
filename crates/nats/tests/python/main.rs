//! In one trace with Python: nats-py and opentelemetry-python on the other side, in both
//! directions. `peer.py` is that side.
//!
//! Python and its packages are not everywhere: where they are missing these tests say so, and do
//! nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test")]

mod peer;
mod venv;

use dynamo_trace_core::Propagation;
use dynamo_trace_nats::service::error::Error;
use dynamo_trace_nats::{Client, Headers};
use dynamo_trace_testkit::servers::NatsServer;
use dynamo_trace_testkit::span_log::{SpanLog, ending};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{FutureExt, SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use peer::{Fields, Peer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";
const TRACESTATE: &str = "vendor=a:1,other@system=b";

/// What the two sides write differently, and read alike. No space: Python writes it as a plus sign,
/// which it is to everybody else.
const BAGGAGE: [(&str, &str); 3] = [
    ("tenant", "acme"),
    ("sum", "1+1=2"),
    ("name", "J\u{fc}rg;,%"),
];

/// A caller further up, as header fields.
fn caller(sampled: bool) -> Fields {
    let flags = if sampled { "01" } else { "00" };
    let baggage = "tenant=acme,sum=1%2B1=2,name=J%C3%BCrg%3B%2C%25";
    Fields::from([
        ("traceparent", format!("00-{TRACE_ID}-{SPAN_ID}-{flags}")),
        ("tracestate", TRACESTATE.to_owned()),
        ("baggage", baggage.to_owned()),
    ])
}

/// The same caller as a context, with baggage that Rust has to write.
fn calling(sampled: bool) -> Context {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in caller(sampled) {
        fields.insert(name.to_owned(), value);
    }
    fields.remove("baggage");
    let baggage = BAGGAGE.map(|(key, value)| KeyValue::new(key, value));
    let caller = Propagation::w3c().extract(&Context::new(), &fields);
    caller.with_baggage(baggage)
}

struct Setup {
    python: &'static Path,
    server: NatsServer,
    nats: Client,
    spans: SpanLog,
}

/// Nothing where there is no Python.
async fn setup() -> Option<Setup> {
    let python = tokio::task::spawn_blocking(venv::python).await.unwrap()?;
    let server = NatsServer::start().await.unwrap();
    let spans = SpanLog::default();
    let nats = async_nats::connect(server.url()).await.unwrap();
    let nats = Client::new(nats).with_tracer_provider(&spans.provider());
    Some(Setup {
        python,
        server,
        nats,
        spans,
    })
}

impl Setup {
    async fn receiver(&self, action: &str) -> Peer {
        Peer::receiver(self.python, &self.server.url(), action).await
    }

    fn sender(&self, action: &str, sampled: bool) -> Peer {
        Peer::sender(self.python, &self.server.url(), action, &caller(sampled))
    }

    /// The server knows of every subscription.
    async fn settle(&self) {
        let plain = self.nats.clone().into_inner();
        plain.request("nobody", "".into()).await.unwrap_err();
    }
}

/// Python's span is in the caller's trace, below this span, and has seen everything.
fn assert_below(python: &Value, parent: &str, sampled: bool) {
    let recorded = sampled.then_some(parent);
    assert_eq!(python["trace_id"], TRACE_ID);
    assert_eq!(python["parent_span_id"], json!(recorded));
    assert_eq!(python["sampled"], sampled);
    assert_eq!(python["tracestate"], TRACESTATE);
    assert_eq!(python["baggage"], json!(BTreeMap::from(BAGGAGE)));
}

/// The context of Rust's work is in the caller's trace, and has everything.
fn assert_inside(cx: &Context, sampled: bool) {
    let span = cx.span().span_context().clone();
    assert_eq!(span.trace_id().to_string(), TRACE_ID);
    assert_eq!(span.is_sampled(), sampled);
    assert_eq!(span.trace_state().header(), TRACESTATE);
    for (key, value) in BAGGAGE {
        let found = cx.baggage().get(key).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(value), "{key}");
    }
}

/// Rust's span is a child of Python's.
fn assert_child(span: &SpanData, python: &Value) {
    assert_eq!(span.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(python["span_id"], span.parent_span_id.to_string());
    assert!(span.parent_span_is_remote);
}

#[tokio::test]
async fn from_python_through_rust_to_python() {
    let Some(setup) = setup().await else { return };
    let mut events = setup.nats.subscribe("work").await.unwrap();
    setup.settle().await;
    let mut sender = setup.sender("publish", true);
    let sent = sender.line().await;
    assert_below(&sent, SPAN_ID, true);
    let received = events.next().await.unwrap();
    assert_eq!(received.payload, "from python");
    // Not to the subscription of this test.
    drop(events);
    setup.settle().await;
    let mut receiver = setup.receiver("subscribe").await;
    let work = received.process(async |_| {
        assert_inside(&Context::current(), true);
        setup.nats.publish("work", "on".into()).await.unwrap();
    });
    work.await;
    let [publish, process] = setup.spans.ended().await;
    assert_child(&process, &sent);
    assert_eq!(publish.parent_span_id, process.span_context.span_id());
    let at_the_end = receiver.line().await;
    assert_below(
        &at_the_end,
        &publish.span_context.span_id().to_string(),
        true,
    );
}

#[tokio::test]
async fn what_python_does_not_sample_stays_unsampled() {
    let Some(setup) = setup().await else { return };
    let mut events = setup.nats.subscribe("work").await.unwrap();
    setup.settle().await;
    let mut sender = setup.sender("publish", false);
    assert_below(&sender.line().await, SPAN_ID, false);
    let received = events.next().await.unwrap();
    drop(events);
    setup.settle().await;
    let mut receiver = setup.receiver("subscribe").await;
    let work = received.process(async |_| {
        assert_inside(&Context::current(), false);
        setup.nats.publish("work", "on".into()).await.unwrap();
    });
    work.await;
    assert_below(&receiver.line().await, SPAN_ID, false);
    assert_eq!(setup.spans.count(), 0);
}

#[tokio::test]
async fn what_rust_publishes_python_continues() {
    let Some(setup) = setup().await else { return };
    let mut receiver = setup.receiver("subscribe").await;
    for sampled in [true, false] {
        let publish = setup.nats.publish("work", "from rust".into());
        publish.with_context(calling(sampled)).await.unwrap();
        let received = receiver.line().await;
        let [publish] = setup.spans.ended().await;
        let parent = publish.span_context.span_id().to_string();
        assert_below(&received, &parent, sampled);
    }
}

#[tokio::test]
async fn what_rust_requests_python_answers() {
    let Some(setup) = setup().await else { return };
    let mut receiver = setup.receiver("respond").await;
    let request = setup.nats.request("work", "from rust".into());
    let reply = request.with_context(calling(true)).await.unwrap();
    assert_eq!(reply.payload, "from rust");
    let [request] = setup.spans.ended().await;
    assert_eq!(ending(&request), "complete");
    let answered = receiver.line().await;
    assert_below(&answered, &request.span_context.span_id().to_string(), true);
    assert_eq!(span_of(&reply).span_id().to_string(), answered["span_id"]);
}

#[tokio::test]
async fn an_error_of_a_service_in_python_fails_the_request() {
    let Some(setup) = setup().await else { return };
    let mut receiver = setup.receiver("serve").await;
    let request = setup.nats.request("work", "from rust".into());
    request.with_context(calling(true)).await.unwrap();
    let [request] = setup.spans.ended().await;
    assert_eq!(ending(&request), "failed:418");
    let answered = receiver.line().await;
    assert_below(&answered, &request.span_context.span_id().to_string(), true);
}

#[tokio::test]
async fn what_python_requests_a_service_in_rust_answers() {
    let Some(setup) = setup().await else { return };
    let builder = setup.nats.service_builder();
    let service = builder.start("rust", "1.0.0").await.unwrap();
    let mut endpoint = service.endpoint("work").await.unwrap();
    setup.settle().await;
    let error = || Error {
        status: "a teapot".to_owned(),
        code: 418,
    };
    for (count, response) in [Ok("from rust".into()), Err(error())]
        .into_iter()
        .enumerate()
    {
        let mut sender = setup.sender("request", true);
        let sent = sender.line().await;
        assert_below(&sent, SPAN_ID, true);
        let failed = response.is_err();
        let work = endpoint.next().await.unwrap().process(async |request| {
            assert_eq!(request.message.payload, "from python");
            assert_inside(&Context::current(), true);
            request.respond(response).await.unwrap();
        });
        work.await;
        let spans = setup.spans.all_ended(count + 1).await;
        let process = spans.last().unwrap();
        assert_child(process, &sent);
        assert_eq!(
            ending(process),
            if failed { "failed:418" } else { "complete" }
        );
        let reply = sender.line().await;
        let expected = format!("00-{TRACE_ID}-{}-01", process.span_context.span_id());
        assert_eq!(reply["headers"]["traceparent"], expected);
        assert_eq!(reply["payload"], if failed { "" } else { "from rust" });
        let code = json!(failed.then_some("418"));
        assert_eq!(reply["headers"]["Nats-Service-Error-Code"], code);
    }
}

#[tokio::test]
async fn what_python_requests_unsampled_is_answered_unsampled() {
    let Some(setup) = setup().await else { return };
    let mut work = setup.nats.subscribe("work").await.unwrap();
    setup.settle().await;
    let mut sender = setup.sender("request", false);
    assert_below(&sender.line().await, SPAN_ID, false);
    let received = work.next().await.unwrap();
    let answer = received.process(async |request| {
        assert_inside(&Context::current(), false);
        setup
            .nats
            .reply(&request, "from rust".into())
            .await
            .unwrap();
        Context::current().span().span_context().span_id()
    });
    let span_id = answer.await;
    let reply = sender.line().await;
    let expected = format!("00-{TRACE_ID}-{span_id}-00");
    assert_eq!(reply["headers"]["traceparent"], expected);
    assert_eq!(setup.spans.count(), 0);
}

fn span_of(message: &async_nats::Message) -> SpanContext {
    let headers = message.headers.clone().unwrap_or_default();
    let cx = Propagation::w3c().extract(&Context::new(), &Headers(&headers));
    cx.span().span_context().clone()
}
