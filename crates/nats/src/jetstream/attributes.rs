//! The semantic conventions for messaging, as they apply to JetStream.

use crate::attributes::{self, Operation};
use async_nats::jetstream::consumer;
use async_nats::jetstream::publish::PublishAck;
use dynamo_trace_core::span::SharedText;
use opentelemetry::{KeyValue, Value};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const STREAM: &str = "messaging.nats.stream";
const SUBSCRIPTION: &str = "messaging.destination.subscription.name";
const SEQUENCE: &str = "messaging.nats.message.sequence";
const DELIVERY_ATTEMPT: &str = "messaging.nats.message.delivery_attempt";
const DUPLICATE: &str = "messaging.nats.message.duplicate";
const MESSAGE_COUNT: &str = "messaging.batch.message_count";
const QUEUE_TIME: &str = "dynamo_trace.queue_time";
const REDELIVERY_DELAY: &str = "dynamo_trace.redelivery_delay";
const ACK_AWAITED: &str = "dynamo_trace.ack_awaited";
const ERROR_TYPE: &str = dynamo_trace_core::span::attributes::ERROR_TYPE;

/// What every span about a consumer's messages has alike.
pub(crate) fn consumer(info: &consumer::Info) -> Vec<KeyValue> {
    // Counted, so that a span copies none of them.
    let text = |key: &'static str, value: &str| KeyValue::new(key, Arc::<str>::from(value));
    let config = &info.config;
    let durable = config.durable_name.as_deref();
    let group = config.deliver_group.as_deref();
    std::iter::once(text(STREAM, &info.stream_name))
        .chain(durable.map(|name| text(SUBSCRIPTION, name)))
        .chain(group.map(|group| text(attributes::CONSUMER_GROUP, group)))
        .collect()
}

/// What every span of an operation on a consumer's messages has alike, with room for what is of
/// one message.
pub(crate) fn of(operation: Operation, consumer: &[KeyValue]) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(14);
    all.extend(attributes::common(operation));
    all.extend_from_slice(consumer);
    all
}

/// The subjects that a consumer was told to deliver.
pub(crate) fn filter(pattern: &str) -> KeyValue {
    KeyValue::new(
        attributes::DESTINATION_TEMPLATE,
        SharedText::value_of(pattern),
    )
}

pub(crate) fn sequence(sequence: u64) -> KeyValue {
    number(SEQUENCE, sequence)
}

pub(crate) fn delivery_attempt(attempt: i64) -> KeyValue {
    KeyValue::new(DELIVERY_ATTEMPT, attempt)
}

pub(crate) fn message_count(count: u64) -> KeyValue {
    number(MESSAGE_COUNT, count)
}

pub(crate) fn queue_time(time: Duration) -> KeyValue {
    KeyValue::new(QUEUE_TIME, time.as_secs_f64())
}

pub(crate) fn redelivery_delay(delay: Duration) -> KeyValue {
    KeyValue::new(REDELIVERY_DELAY, delay.as_secs_f64())
}

pub(crate) fn ack_awaited(awaited: bool) -> KeyValue {
    KeyValue::new(ACK_AWAITED, awaited)
}

pub(crate) fn error_type(error: &'static str) -> KeyValue {
    KeyValue::new(ERROR_TYPE, error)
}

fn number(key: &'static str, number: u64) -> KeyValue {
    KeyValue::new(key, Value::I64(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// What the server says of a message that it stored.
pub(crate) fn stored(ack: &PublishAck) -> impl Iterator<Item = KeyValue> {
    [
        KeyValue::new(STREAM, SharedText::value_of(&ack.stream)),
        sequence(ack.sequence),
    ]
    .into_iter()
    .chain(ack.duplicate.then(|| KeyValue::new(DUPLICATE, true)))
}
