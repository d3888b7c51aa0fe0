//! The semantic conventions for messaging, as they apply to a bucket.

use super::failure::{CreateFailure, WriteError};
use crate::attributes::OTHER;
use crate::jetstream::error_type;
use async_nats::jetstream::kv::{self, EntryError, EntryErrorKind, WatchError, WatchErrorKind};
use dynamo_trace_core::Ending;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use std::borrow::Cow;

/// What an entry says of its key: `put`, `delete` or `purge`.
const CHANGE_TYPE: &str = "dynamo_trace.nats.change.type";

const INVALID_KEY: &str = "invalid_key";
const TIMEOUT: &str = "timeout";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Put,
    Create,
    Update,
    Delete,
    Purge,
    Get,
    Keys,
    History,
    Watch,
    Process,
}

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::Get => "get",
            Self::Keys => "keys",
            Self::History => "history",
            Self::Watch => "watch",
            Self::Process => "process",
        }
    }

    /// `messaging.operation.type`, and the kind of its span.
    pub(super) const fn kind(self) -> (&'static str, SpanKind) {
        match self {
            Self::Put | Self::Create | Self::Update | Self::Delete | Self::Purge => {
                ("send", SpanKind::Producer)
            }
            Self::Get | Self::Keys | Self::History | Self::Watch => ("receive", SpanKind::Client),
            Self::Process => ("process", SpanKind::Consumer),
        }
    }
}

pub(super) fn change(operation: kv::Operation) -> KeyValue {
    let change = match operation {
        kv::Operation::Put => "put",
        kv::Operation::Delete => "delete",
        kv::Operation::Purge => "purge",
    };
    KeyValue::new(CHANGE_TYPE, change)
}

/// How the span of a write ends.
pub(super) fn written(output: &Result<u64, WriteError>) -> Ending {
    match output {
        Ok(_) => Ending::Complete,
        Err(error) => Ending::failed(write_error(error)),
    }
}

/// How the span of a create ends.
pub(super) fn created(output: &Result<u64, CreateFailure>) -> Ending {
    let error_type = match output {
        Ok(_) => return Ending::Complete,
        Err(CreateFailure::AlreadyExists) => "already_exists".into(),
        Err(CreateFailure::Write(error)) if error.is_wrong_last_sequence() => {
            // Somebody else was faster.
            "already_exists".into()
        }
        Err(CreateFailure::Write(error)) => write_error(error),
        Err(CreateFailure::Read(error)) => entry_error(error).into(),
    };
    Ending::Failed(error_type)
}

/// How the span of a read ends.
pub(super) fn read<T>(output: &Result<T, EntryError>) -> Ending {
    match output {
        Ok(_) => Ending::Complete,
        Err(error) => Ending::failed(entry_error(error)),
    }
}

/// How the span ends that sets a watch up, or what reads like one.
pub(super) fn watched<T>(output: &Result<T, WatchError>) -> Ending {
    let Err(error) = output else {
        return Ending::Complete;
    };
    Ending::failed(match error.kind() {
        WatchErrorKind::InvalidKey => INVALID_KEY,
        WatchErrorKind::TimedOut => TIMEOUT,
        WatchErrorKind::ConsumerCreate => "consumer_create",
        WatchErrorKind::Other => OTHER,
    })
}

fn write_error(error: &WriteError) -> Cow<'static, str> {
    match error {
        WriteError::InvalidKey => INVALID_KEY.into(),
        WriteError::Publish(error) | WriteError::Ack(error) => error_type::not_stored(error),
    }
}

fn entry_error(error: &EntryError) -> &'static str {
    match error.kind() {
        EntryErrorKind::InvalidKey => INVALID_KEY,
        EntryErrorKind::TimedOut => TIMEOUT,
        EntryErrorKind::Other => OTHER,
    }
}
