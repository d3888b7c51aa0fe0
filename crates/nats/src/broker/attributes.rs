//! How a hop looks as a span. The semantic conventions have no span for what a broker does.

use super::error::{of_egress, of_store};
use super::event::{Egress, Hop, Ingress, Store, What};
use crate::attributes::destination_attributes;
use crate::subject::Subjects;
use dynamo_trace_core::span::attributes::ERROR_TYPE;
use dynamo_trace_core::span::{SharedText, span_name};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;

const OPERATION: &str = "relay";

const ACCOUNT: &str = "messaging.nats.account";
const EGRESS_COUNT: &str = "messaging.nats.egress.count";
const HOP: &str = "messaging.nats.hop";
const DUPLICATE: &str = "messaging.nats.message.duplicate";
const NO_INTEREST: &str = "messaging.nats.no_interest";
const PEER_KIND: &str = "messaging.nats.peer.kind";
const PEER_NAME: &str = "messaging.nats.peer.name";
const SERVER_CLUSTER: &str = "messaging.nats.server.cluster";
const SERVER_NAME: &str = "messaging.nats.server.name";
const STREAM: &str = "messaging.nats.stream";
const SUBSCRIPTION: &str = "messaging.nats.subscription";
const GROUP: &str = "messaging.consumer.group.name";
const SIZE: &str = "messaging.message.envelope.size";

/// Texts beyond this are left out, in bytes: a server has no longer subjects or names.
const MAX_TEXT: usize = 4096;

/// The span `relay {subject}`.
///
/// It is INTERNAL: as CONSUMER it would count as work of whoever turns events into spans.
pub(super) fn span(hop: &Hop, ingress: &Ingress, hop_id: &str, subjects: &Subjects) -> SpanBuilder {
    let subject = short(&ingress.subject).map(|subject| subjects.destination(subject));
    let name = match subject.and_then(|subject| subject.in_span_name()) {
        Some(subject) => span_name(OPERATION, subject).0,
        None => Cow::Borrowed(OPERATION),
    };
    let mut attributes = vec![
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.operation.name", OPERATION),
        KeyValue::new(SIZE, hop.request.size),
    ];
    let server = &hop.server;
    // What a server that listens on every address calls itself.
    let known = |host: &&str| !matches!(*host, "0.0.0.0" | "::");
    let host = short(&server.host).filter(known);
    attributes.extend(subject.into_iter().flat_map(destination_attributes));
    attributes.extend(host.map(|host| text("server.address", host)));
    attributes.extend(short(&server.name).map(|name| text(SERVER_NAME, name)));
    attributes.extend(short(&server.cluster).map(|name| text(SERVER_CLUSTER, name)));
    attributes.extend(short(&ingress.account).map(|name| text(ACCOUNT, name)));
    attributes.extend(peer(ingress.kind, &ingress.name));
    attributes.extend(short(hop_id).map(|id| text(HOP, id)));
    let whats = || hop.points().iter().map(|point| &point.what);
    let mut streams = whats().filter_map(|what| match what {
        What::Store(store) => short(&store.stream),
        _ => None,
    });
    attributes.extend(streams.next_back().map(|stream| text(STREAM, stream)));
    let egress = whats().filter(|what| matches!(what, What::Egress(_)));
    let count = i64::try_from(egress.count()).unwrap_or(i64::MAX);
    attributes.push(KeyValue::new(EGRESS_COUNT, count));
    SpanBuilder::from_name(name)
        .with_kind(SpanKind::Internal)
        .with_attributes(attributes)
}

/// The span event of something that happened at a point of time: its name and attributes.
pub(super) fn point(what: &What, subjects: &Subjects) -> Option<(&'static str, Vec<KeyValue>)> {
    let subject = |subject| short(subject).map(|subject| subjects.destination(subject));
    let subject = |name| subject(name).into_iter().flat_map(destination_attributes);
    let account = |name| short(name).map(|name| text(ACCOUNT, name));
    Some(match what {
        What::SubjectMapping { to } => ("nats.subject_mapping", subject(to).collect()),
        What::StreamExport { account: name, to } => (
            "nats.stream_export",
            subject(to).chain(account(name)).collect(),
        ),
        What::ServiceImport { account: name, to } => (
            "nats.service_import",
            subject(to).chain(account(name)).collect(),
        ),
        What::Store(store) => (
            "nats.stream_store",
            subject(&store.subject).chain(stored(store)).collect(),
        ),
        What::Egress(egress) => (
            "nats.egress",
            account(&egress.account)
                .into_iter()
                .chain(sent(egress, subjects))
                .collect(),
        ),
        What::Ingress(_) | What::Unknown => return None,
    })
}

fn stored(store: &Store) -> impl Iterator<Item = KeyValue> {
    let stream = short(&store.stream).map(|name| text(STREAM, name));
    let no_interest = store.no_interest.then(|| KeyValue::new(NO_INTEREST, true));
    let error = store.error.as_deref().map(|error| match of_store(error) {
        Some(error) => KeyValue::new(ERROR_TYPE, error),
        None => KeyValue::new(DUPLICATE, true),
    });
    stream.into_iter().chain(no_interest).chain(error)
}

fn sent(egress: &Egress, subjects: &Subjects) -> impl Iterator<Item = KeyValue> {
    let subscription = short(&egress.subscription);
    // Not that of an inbox, which has a random name.
    let subscription = subscription.and_then(|subject| subjects.destination(subject).name);
    let error = egress.error.as_deref().and_then(of_egress);
    peer(egress.kind, &egress.name)
        .chain(short(&egress.hop).map(|id| text(HOP, id)))
        .chain(subscription.map(|subject| text(SUBSCRIPTION, subject)))
        .chain(short(&egress.queue).map(|group| text(GROUP, group)))
        .chain(error.map(|error| KeyValue::new(ERROR_TYPE, error)))
}

/// What the other side of a connection is. Servers have names; those of clients are their own
/// affair.
fn peer(kind: i64, name: &str) -> impl Iterator<Item = KeyValue> {
    let (kind, has_name) = match kind {
        0 => (Some("client"), false),
        1 => (Some("route"), true),
        2 => (Some("gateway"), true),
        3 => (Some("system"), false),
        4 => (Some("leafnode"), true),
        5 => (Some("jetstream"), false),
        6 => (Some("account"), false),
        _ => (None, false),
    };
    let name = short(name).filter(|_| has_name);
    let kind = kind.map(|kind| KeyValue::new(PEER_KIND, kind));
    kind.into_iter()
        .chain(name.map(|name| text(PEER_NAME, name)))
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, SharedText::value_of(value))
}

fn short(text: &str) -> Option<&str> {
    Some(text).filter(|text| (1..=MAX_TEXT).contains(&text.len()))
}
