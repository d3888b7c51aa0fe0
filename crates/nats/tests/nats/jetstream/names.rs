//! What spans are named after: a registered template, else the filter, else the subject.

use super::{consumer, durable, pull, start};
use crate::support::{Spans, attribute};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull::Config;
use dynamo_trace_nats::jetstream::{self, Settlement};

/// Name, destination name and template of each span but those of publishes.
fn named(spans: &Spans) -> Vec<String> {
    let text = |span: &_, key| {
        let value = attribute(span, key);
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    };
    let all = spans.all();
    let received = all.iter().filter(|span| !span.name.starts_with("publish"));
    let line = received.map(|span| {
        let name = text(span, "messaging.destination.name");
        let template = text(span, "messaging.destination.template");
        format!("{}: {name} {template}", span.name)
    });
    line.collect()
}

/// Fetches, processes and settles a message to `subject`, and tells how the spans are named.
async fn names(config: Config, subject: &str, templates: &[&str]) -> Vec<String> {
    let js = start().await;
    js.stream("EVENTS", &["events.>", "_INBOX.a.>"]).await;
    let templates = templates.iter().copied().map(String::from);
    let nats = js.setup.nats.clone().with_subject_templates(templates);
    let context = jetstream::new(&nats).with_settlement(Settlement::Spans);
    let stream = context.get_stream("EVENTS").await.unwrap();
    let worker = consumer(&stream, config).await;
    js.publish(subject, "").await;
    let [received] = pull(&worker).await;
    let settled = received.process(async |message| message.ack_with(AckKind::Term).await);
    settled.await.unwrap();
    let mut all = named(js.spans());
    all.sort();
    all
}

fn filtered(filter: &str) -> Config {
    Config {
        filter_subject: filter.to_owned(),
        ..durable("worker")
    }
}

#[tokio::test]
async fn without_a_filter_the_subject_names_the_message() {
    assert_eq!(
        names(durable("worker"), "events.1", &[]).await,
        [
            "fetch EVENTS: - -",
            "process events.1: events.1 -",
            "term events.1: events.1 -",
        ]
    );
}

#[tokio::test]
async fn a_filter_names_all_messages_alike() {
    assert_eq!(
        names(filtered("events.*"), "events.1", &[]).await,
        [
            "fetch events.*: - events.*",
            "process events.*: events.1 events.*",
            "term events.*: events.1 events.*",
        ]
    );
}

#[tokio::test]
async fn a_filter_of_one_subject_is_that_subject() {
    assert_eq!(
        names(filtered("events.1"), "events.1", &[]).await,
        [
            "fetch events.1: events.1 -",
            "process events.1: events.1 -",
            "term events.1: events.1 -",
        ]
    );
}

#[tokio::test]
async fn a_template_says_more_than_the_filter() {
    assert_eq!(
        names(filtered("events.>"), "events.1", &["events.*"]).await,
        [
            "fetch events.>: - events.>",
            "process events.*: events.1 events.*",
            "term events.*: events.1 events.*",
        ]
    );
    assert_eq!(
        names(filtered("events.1"), "events.1", &["events.*"]).await,
        [
            "fetch events.*: events.1 events.*",
            "process events.*: events.1 events.*",
            "term events.*: events.1 events.*",
        ]
    );
}

#[tokio::test]
async fn an_inbox_stays_out_of_names() {
    assert_eq!(
        names(filtered("_INBOX.a.b"), "_INBOX.a.b", &[]).await,
        ["fetch EVENTS: - -", "process: - -", "term: - -"]
    );
    let js = start().await;
    let stream = js.stream("EVENTS", &["_INBOX.a.>"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    js.publish("_INBOX.a.b", "").await;
    let [received] = pull(&worker).await;
    received.process(async |_| {}).await;
    let temporary = attribute(
        &js.spans().one("process"),
        "messaging.destination.temporary",
    );
    assert_eq!(temporary, Some(true.into()));
}
