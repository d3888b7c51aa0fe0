//! JetStream of a real `nats-server`.

mod ack;
mod conformance;
mod faults;
mod hostile;
mod names;
mod publish;
mod pull;
mod push;
mod relation;
mod settle;
mod traits;

use crate::support::{self, Setup, Spans, attribute};
use async_nats::jetstream::{consumer, stream};
use dynamo_trace_nats::jetstream::{Batch, Context, Message, PullConsumer, Stream};
use dynamo_trace_nats::{Received, jetstream};
use dynamo_trace_testkit::span::{Link, Status, StatusCode};
use dynamo_trace_testkit::{Span, SpanKind, Tree, Value};
use opentelemetry::trace;
use opentelemetry_sdk::trace::SpanData;
use std::time::UNIX_EPOCH;

/// A server, a context that traces, and the spans that ended.
pub(crate) struct Js {
    pub(crate) setup: Setup,
    pub(crate) js: Context,
}

pub(crate) async fn start() -> Js {
    let setup = support::setup().await;
    let js = jetstream::new(&setup.nats);
    Js { setup, js }
}

impl Js {
    pub(crate) fn spans(&self) -> &Spans {
        &self.setup.spans
    }

    /// A stream of this name and these subjects.
    pub(crate) async fn stream(&self, name: &str, subjects: &[&str]) -> Stream {
        self.stream_with(name, subjects, stream::Config::default())
            .await
    }

    pub(crate) async fn stream_with(
        &self,
        name: &str,
        subjects: &[&str],
        config: stream::Config,
    ) -> Stream {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().copied().map(Into::into).collect(),
            ..config
        };
        self.js.create_stream(config).await.unwrap()
    }

    /// Publishes, and waits for the acknowledgement.
    pub(crate) async fn publish(&self, subject: &str, payload: &str) {
        let payload = payload.to_owned().into();
        let ack = self.js.publish(subject.to_owned(), payload).await.unwrap();
        ack.await.unwrap();
    }

    /// A tree of all spans, each with these attributes.
    pub(crate) fn tree(&self, attributes: &[&str]) -> String {
        let spans: Vec<_> = self.spans().all().iter().map(span).collect();
        Tree::new(&spans).attributes(attributes).render_sorted()
    }
}

/// A durable pull consumer of this name.
pub(crate) fn durable(name: &str) -> consumer::pull::Config {
    consumer::pull::Config {
        durable_name: Some(name.to_owned()),
        ..Default::default()
    }
}

pub(crate) async fn consumer(stream: &Stream, config: consumer::pull::Config) -> PullConsumer {
    stream.create_consumer(config).await.unwrap()
}

/// The messages of one pull request, which waits for as many.
pub(crate) async fn pull<const N: usize>(consumer: &PullConsumer) -> [Received<Message>; N] {
    let batch = consumer.batch().max_messages(N).expires(support::DEADLINE);
    take_all(&mut batch.messages().await.unwrap()).await
}

pub(crate) async fn take_all<const N: usize>(batch: &mut Batch) -> [Received<Message>; N] {
    let mut all = Vec::new();
    while all.len() < N {
        let next = support::within(batch.next()).await;
        all.push(next.expect("a message").unwrap());
    }
    all.try_into().ok().unwrap()
}

/// All attributes as text, with the queue time checked and left out.
pub(crate) fn attributes(span: &SpanData) -> Vec<String> {
    if let Some(time) = attribute(span, "dynamo_trace.queue_time") {
        let opentelemetry::Value::F64(time) = time else {
            panic!("{time:?}");
        };
        assert!((0.0..30.0).contains(&time), "{time}");
    }
    let mut all = support::attributes(span);
    for attribute in &mut all {
        if attribute.starts_with("dynamo_trace.queue_time=") {
            *attribute = "dynamo_trace.queue_time=..".to_owned();
        }
    }
    all
}

pub(crate) fn span(span: &SpanData) -> Span {
    let parent = span.parent_span_id.to_bytes();
    let nanos = |at: std::time::SystemTime| {
        let since = at.duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(since.as_nanos()).unwrap()
    };
    let value = |value: &opentelemetry::Value| match value {
        opentelemetry::Value::Bool(truth) => Value::Bool(*truth),
        opentelemetry::Value::I64(number) => Value::Int(*number),
        opentelemetry::Value::F64(number) => Value::Double(*number),
        other => Value::String(other.as_str().into_owned()),
    };
    let attributes = span.attributes.iter();
    let links = span.links.iter().map(|link| Link {
        trace_id: link.span_context.trace_id().to_bytes(),
        span_id: link.span_context.span_id().to_bytes(),
        ..Default::default()
    });
    Span {
        trace_id: span.span_context.trace_id().to_bytes(),
        span_id: span.span_context.span_id().to_bytes(),
        parent_span_id: (parent != [0; 8]).then_some(parent),
        name: span.name.to_string(),
        kind: match span.span_kind {
            trace::SpanKind::Internal => SpanKind::Internal,
            trace::SpanKind::Server => SpanKind::Server,
            trace::SpanKind::Client => SpanKind::Client,
            trace::SpanKind::Producer => SpanKind::Producer,
            trace::SpanKind::Consumer => SpanKind::Consumer,
        },
        start_unix_nanos: nanos(span.start_time),
        end_unix_nanos: nanos(span.end_time),
        attributes: attributes
            .map(|own| (own.key.to_string(), value(&own.value)))
            .collect(),
        links: links.collect(),
        status: Status {
            code: match span.status {
                trace::Status::Unset => StatusCode::Unset,
                trace::Status::Ok => StatusCode::Ok,
                trace::Status::Error { .. } => StatusCode::Error,
            },
            message: String::new(),
        },
        ..Default::default()
    }
}
