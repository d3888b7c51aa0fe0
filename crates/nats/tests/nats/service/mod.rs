//! Services whose requests are traced, beside async-nats' own.

mod answers;
mod conformance;
mod endings;
mod errors;
mod parity;
mod subjects;

use crate::support::*;
use async_nats::Message;
use async_nats::client::RequestError;
use dynamo_trace_nats::service::endpoint::Endpoint;
use dynamo_trace_nats::service::{Request, Service};
use dynamo_trace_nats::{Client, Received};
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;
use tokio::task::JoinHandle;

/// A service, and its endpoint of this subject.
async fn serve(nats: &Client, subject: &str) -> (Service, Endpoint) {
    let builder = nats.service_builder();
    let service = builder.start("prices", "1.2.3").await.unwrap();
    let endpoint = service.endpoint(subject).await.unwrap();
    settle(nats).await;
    (service, endpoint)
}

/// The next request; there has to be one.
async fn take(endpoint: &mut Endpoint) -> Received<Request> {
    within(endpoint.next()).await.expect("a request")
}

/// Sends a request that somebody else has to answer.
fn ask(nats: &Client, subject: &'static str) -> JoinHandle<Result<Message, RequestError>> {
    let nats = nats.clone();
    tokio::spawn(async move { nats.request(subject, "input".into()).await })
}

async fn reply(asked: JoinHandle<Result<Message, RequestError>>) -> Message {
    within(asked).await.unwrap().unwrap()
}

/// Spans as indented lines with all attributes, in the order of their starts.
fn tree(mut spans: Vec<SpanData>) -> Vec<String> {
    spans.sort_by_key(|span| span.start_time);
    let mut lines = Vec::new();
    below(&spans, SpanId::INVALID, 0, &mut lines);
    assert_eq!(lines.len(), spans.len(), "an orphan: {spans:#?}");
    lines
}

fn below(spans: &[SpanData], parent: SpanId, depth: usize, lines: &mut Vec<String>) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        let indent = "  ".repeat(depth);
        let kind = format!("{:?}", span.span_kind).to_uppercase();
        let attributes = attributes(span).join(" ");
        lines.push(format!("{indent}{kind} {} {{{attributes}}}", span.name));
        below(spans, span.span_context.span_id(), depth + 1, lines);
    }
}

/// The `error.type` of a span that failed. There has to be one of it.
fn failure(span: &SpanData) -> String {
    assert_eq!(
        dynamo_trace_testkit::span_log::ending(span),
        format!("failed:{}", attribute(span, "error.type").unwrap())
    );
    let keys = span.attributes.iter().map(|kv| kv.key.as_str());
    assert_eq!(keys.filter(|key| *key == "error.type").count(), 1);
    attribute(span, "error.type").unwrap().to_string()
}
