//! The semantic conventions for messaging, as they apply to NATS: span names and attributes.

use crate::carrier;
use crate::subject::Destination;
use async_nats::client::{PublishError, PublishErrorKind, RequestError, RequestErrorKind};
use async_nats::{HeaderMap, Message, service};
use dynamo_trace_core::span::{SharedText, span_name};
use dynamo_trace_core::{Detail, Ending};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;

const SYSTEM: &str = "messaging.system";
const OPERATION_NAME: &str = "messaging.operation.name";
const OPERATION_TYPE: &str = "messaging.operation.type";
const DESTINATION_NAME: &str = "messaging.destination.name";
pub(crate) const DESTINATION_TEMPLATE: &str = "messaging.destination.template";
const DESTINATION_TEMPORARY: &str = "messaging.destination.temporary";
pub(crate) const CONSUMER_GROUP: &str = "messaging.consumer.group.name";
const BODY_SIZE: &str = "messaging.message.body.size";
const MESSAGE_ID: &str = "messaging.message.id";

// Neither the messaging conventions nor those for RPC have what a NATS service is called.
const SERVICE_NAME: &str = "messaging.nats.service.name";
const SERVICE_VERSION: &str = "messaging.nats.service.version";
const SERVICE_ENDPOINT: &str = "messaging.nats.service.endpoint";

/// The value of `error.type` for what has no better one.
pub(crate) const OTHER: &str = "_OTHER";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Publish,
    Request,
    Fetch,
    Process,
    Ack,
    Nak,
    Term,
    InProgress,
    Next,
}

impl Operation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Request => "request",
            Self::Fetch => "fetch",
            Self::Process => "process",
            Self::Ack => "ack",
            Self::Nak => "nak",
            Self::Term => "term",
            Self::InProgress => "in-progress",
            Self::Next => "next",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Publish | Self::Request => "send",
            Self::Fetch => "receive",
            Self::Process => "process",
            Self::Ack | Self::Nak | Self::Term | Self::InProgress | Self::Next => "settle",
        }
    }

    /// `{operation} {destination}`; a temporary destination stays out of the name.
    pub(crate) fn span_name(self, destination: Destination<'_>) -> Cow<'static, str> {
        match destination.in_span_name() {
            Some(destination) => span_name(self.name(), destination).0,
            None => Cow::Borrowed(self.name()),
        }
    }
}

/// The span that sends to `destination`, with what a sampler may want to know.
pub(crate) fn send_span(
    operation: Operation,
    kind: SpanKind,
    destination: Destination<'_>,
    detail: Detail,
) -> SpanBuilder {
    span_with(operation.span_name(destination), kind, detail, || {
        let mut attributes = Vec::with_capacity(7);
        attributes.extend(common(operation));
        attributes.extend(destination_attributes(destination));
        attributes
    })
}

/// What every span of a subscription has alike.
pub(crate) fn subscription(
    destination: Option<Destination<'_>>,
    queue_group: Option<&str>,
) -> Vec<KeyValue> {
    let mut attributes: Vec<_> = common(Operation::Process).into();
    attributes.extend(destination.into_iter().flat_map(destination_attributes));
    attributes.extend(
        queue_group.map(|group| KeyValue::new(CONSUMER_GROUP, SharedText::value_of(group))),
    );
    attributes
}

/// What every span of a service's endpoint has besides.
pub(crate) fn endpoint(name: &str, version: &str, endpoint: &str) -> [KeyValue; 3] {
    [
        KeyValue::new(SERVICE_NAME, SharedText::value_of(name)),
        KeyValue::new(SERVICE_VERSION, SharedText::value_of(version)),
        KeyValue::new(SERVICE_ENDPOINT, SharedText::value_of(endpoint)),
    ]
}

/// The span that processes a message.
pub(crate) fn process_span(
    name: Cow<'static, str>,
    kind: SpanKind,
    subscription: &[KeyValue],
    matched: Option<Destination<'_>>,
    message: &Message,
    detail: Detail,
) -> SpanBuilder {
    span_with(name, kind, detail, || {
        let mut attributes = Vec::with_capacity(subscription.len() + 4);
        attributes.extend_from_slice(subscription);
        attributes.extend(matched.into_iter().flat_map(destination_attributes));
        let (body, headers) = (message.payload.len(), message.headers.as_ref());
        attributes.extend(message_attributes(body, headers));
        attributes
    })
}

pub(crate) fn span(
    name: Cow<'static, str>,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
) -> SpanBuilder {
    span_with(name, kind, Detail::Full, || attributes)
}

/// A span of which no more is built than is worth it.
pub(crate) fn span_with(
    name: Cow<'static, str>,
    kind: SpanKind,
    detail: Detail,
    attributes: impl FnOnce() -> Vec<KeyValue>,
) -> SpanBuilder {
    SpanBuilder {
        name,
        span_kind: Some(kind),
        attributes: (detail == Detail::Full).then(attributes),
        ..SpanBuilder::default()
    }
}

pub(crate) fn common(operation: Operation) -> [KeyValue; 3] {
    common_of(operation.name(), operation.kind())
}

/// The name of an operation, and its type: that of the semantic conventions.
pub(crate) fn common_of(name: &'static str, kind: &'static str) -> [KeyValue; 3] {
    [
        KeyValue::new(SYSTEM, "nats"),
        KeyValue::new(OPERATION_NAME, name),
        KeyValue::new(OPERATION_TYPE, kind),
    ]
}

/// What the destination is, or that it is a temporary one.
pub(crate) fn destination_attributes(
    destination: Destination<'_>,
) -> impl Iterator<Item = KeyValue> {
    let Destination { name, template } = destination;
    let named = match name {
        // With a template there may be any number of names.
        Some(name) if template.is_some() => KeyValue::new(DESTINATION_NAME, name.to_owned()),
        Some(name) => KeyValue::new(DESTINATION_NAME, SharedText::value_of(name)),
        None => KeyValue::new(DESTINATION_TEMPORARY, true),
    };
    let template = template
        .map(|template| KeyValue::new(DESTINATION_TEMPLATE, SharedText::value_of(template)));
    std::iter::once(named).chain(template)
}

/// What no sampler needs; built only as it is iterated.
pub(crate) fn message_attributes(
    body: usize,
    headers: Option<&HeaderMap>,
) -> impl Iterator<Item = KeyValue> {
    std::iter::once_with(move || body_size(body)).chain(
        std::iter::once_with(move || carrier::first(headers, "Nats-Msg-Id"))
            .flatten()
            .map(|id| KeyValue::new(MESSAGE_ID, id.to_owned())),
    )
}

pub(crate) fn body_size(bytes: usize) -> KeyValue {
    KeyValue::new(BODY_SIZE, i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// How a publish span ends.
pub(crate) fn published(output: &Result<(), PublishError>) -> Ending {
    let Err(error) = output else {
        return Ending::Complete;
    };
    Ending::failed(publish_error(error))
}

pub(crate) fn publish_error(error: &PublishError) -> &'static str {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => "max_payload_exceeded",
        PublishErrorKind::InvalidSubject => "invalid_subject",
        PublishErrorKind::Send => "connection_closed",
    }
}

/// How a request span ends. A reply that says by header that it is an error (as services do)
/// fails the span with that code, although the caller has its reply.
pub(crate) fn requested(output: &Result<Message, RequestError>) -> Ending {
    match output {
        Ok(reply) => service_error(reply).map_or(Ending::Complete, Ending::Failed),
        Err(error) => not_replied(error),
    }
}

/// The error that a reply says that it is.
pub(crate) fn service_error(reply: &Message) -> Option<Cow<'static, str>> {
    carrier::first(reply.headers.as_ref(), "Nats-Service-Error-Code").map(code_of)
}

/// How the span ends of a request without a reply.
pub(crate) fn not_replied(error: &RequestError) -> Ending {
    Ending::failed(match error.kind() {
        RequestErrorKind::TimedOut => "timeout",
        RequestErrorKind::NoResponders => "no_responders",
        RequestErrorKind::InvalidSubject => "invalid_subject",
        RequestErrorKind::MaxPayloadExceeded => "max_payload_exceeded",
        RequestErrorKind::Other => OTHER,
    })
}

/// The `error.type` of an error that a service responds: that of the requester's span.
pub(crate) fn responded(error: &service::error::Error) -> Cow<'static, str> {
    code_of(&error.code.to_string())
}

/// A service's error code, if it is one: anything else could have any number of values.
fn code_of(code: &str) -> Cow<'static, str> {
    let is_code = (1..=5).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    if is_code {
        Cow::Owned(code.to_owned())
    } else {
        Cow::Borrowed(OTHER)
    }
}
