//! Why a write failed, and which of async-nats' errors says so.

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::kv::{CreateError, CreateErrorKind, EntryError, PutError, PutErrorKind};
use async_nats::jetstream::kv::{UpdateError, UpdateErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use std::error::Error;

/// Why a write failed.
#[derive(Debug)]
pub(super) enum WriteError {
    InvalidKey,
    /// It was not sent.
    Publish(PublishError),
    /// It was not stored, or nobody said so.
    Ack(PublishError),
}

/// Why a create failed.
#[derive(Debug)]
pub(super) enum CreateFailure {
    AlreadyExists,
    Write(WriteError),
    Read(EntryError),
}

impl WriteError {
    /// Whether the bucket does not take messages that large.
    pub(super) fn is_too_large(&self) -> bool {
        let Self::Ack(error) = self else {
            return false;
        };
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        cause.is_some_and(|cause: &jetstream::Error| {
            cause.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        })
    }

    pub(super) fn is_wrong_last_sequence(&self) -> bool {
        let wrong = PublishErrorKind::WrongLastSequence;
        matches!(self, Self::Ack(error) if error.kind() == wrong)
    }
}

impl From<WriteError> for PutError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::InvalidKey => Self::new(PutErrorKind::InvalidKey),
            WriteError::Publish(error) => Self::with_source(PutErrorKind::Publish, error),
            WriteError::Ack(error) => Self::with_source(PutErrorKind::Ack, error),
        }
    }
}

impl From<WriteError> for UpdateError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::InvalidKey => Self::new(UpdateErrorKind::InvalidKey),
            WriteError::Publish(error) | WriteError::Ack(error) => error.into(),
        }
    }
}

impl From<CreateFailure> for CreateError {
    fn from(failure: CreateFailure) -> Self {
        match failure {
            CreateFailure::AlreadyExists => Self::new(CreateErrorKind::AlreadyExists),
            CreateFailure::Write(error) => UpdateError::from(error).into(),
            CreateFailure::Read(error) => error.into(),
        }
    }
}
