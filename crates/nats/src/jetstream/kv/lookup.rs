//! One entry, asked for as async-nats asks, which drops the headers.

use super::Store;
use super::attributes::{Operation, read};
use super::entry::{is_valid_key, operation_of};
use crate::attributes::body_size;
use crate::jetstream::attributes::sequence;
use crate::jetstream::recording::Recording;
use async_nats::jetstream::kv::{self, EntryError, EntryErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind, RawMessageError};
use dynamo_trace_core::Received;

impl Store {
    /// Reads an entry in a span.
    pub(super) async fn read(
        &self,
        key: String,
        revision: Option<u64>,
    ) -> Result<Option<Received<kv::Entry>>, EntryError> {
        let guard = self.bucket.start(Operation::Get, Some(&key));
        let span = Recording::of(&guard);
        let reading = async {
            let message = self.message(&key, revision).await?;
            Ok(message.map(|message| self.received(&span, key, message)))
        };
        guard.run_judged(reading, read).await
    }

    /// The message of an entry, as async-nats asks for it.
    async fn message(
        &self,
        key: &str,
        revision: Option<u64>,
    ) -> Result<Option<StreamMessage>, EntryError> {
        if !is_valid_key(key) {
            return Err(EntryError::new(EntryErrorKind::InvalidKey));
        }
        let stream = &self.inner.stream;
        let subject = format!("{}{key}", self.inner.prefix);
        let found = if stream.cached_info().config.allow_direct {
            let found = match revision {
                Some(revision) => stream.direct_get(revision).await,
                None => stream.direct_get_last_for_subject(&subject).await,
            };
            match found {
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => None,
                found => Some(found?),
            }
        } else {
            let found = match revision {
                Some(revision) => stream.get_raw_message(revision).await,
                None => stream.get_last_raw_message_by_subject(&subject).await,
            };
            found.map_or_else(not_found, |message| Ok(Some(message)))?
        };
        let is_of_key =
            |message: &StreamMessage| revision.is_none() || *message.subject == *subject;
        Ok(found.filter(is_of_key))
    }

    /// The entry; the span that read it is linked to its writer's.
    fn received(
        &self,
        span: &Recording,
        key: String,
        message: StreamMessage,
    ) -> Received<kv::Entry> {
        let remote = self.bucket.remote(Some(&message.headers));
        span.set(|| [body_size(message.payload.len()), sequence(message.sequence)]);
        span.link(remote.span_context());
        let entry = kv::Entry {
            bucket: self.bucket.name.clone(),
            key,
            operation: operation_of(Some(&message.headers)),
            value: message.payload,
            revision: message.sequence,
            delta: 0,
            created: message.time,
            seen_current: false,
        };
        self.bucket.receive(entry, remote, true)
    }
}

/// That there is none, or the error for it.
fn not_found(error: RawMessageError) -> Result<Option<StreamMessage>, EntryError> {
    match error.kind() {
        LastRawMessageErrorKind::NoMessageFound => Ok(None),
        LastRawMessageErrorKind::InvalidSubject => Err(EntryErrorKind::InvalidKey.into()),
        LastRawMessageErrorKind::Other => {
            Err(EntryError::with_source(EntryErrorKind::Other, error))
        }
        LastRawMessageErrorKind::JetStream(error) => {
            Err(EntryError::with_source(EntryErrorKind::Other, error))
        }
    }
}
