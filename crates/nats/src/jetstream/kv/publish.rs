//! What every write has alike, done as async-nats does it, which takes no headers of ours.

use super::Store;
use super::attributes::{Operation, written};
use super::entry::is_valid_key;
use super::failure::{CreateFailure, WriteError};
use crate::jetstream::attributes::sequence;
use crate::jetstream::limits::MAX_HEADERS;
use crate::jetstream::recording::Recording;
use crate::send::Size;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::kv::{self, Entry};
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use opentelemetry::Context;
use std::time::Duration;

pub(super) fn expecting(mut headers: HeaderMap, revision: u64) -> HeaderMap {
    headers.append(
        NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
        HeaderValue::from(revision),
    );
    headers
}

pub(super) fn expiring(mut headers: HeaderMap, ttl: Duration) -> HeaderMap {
    headers.append(NATS_MESSAGE_TTL, HeaderValue::from(ttl.as_secs()));
    headers
}

impl Store {
    /// Writes in a span.
    pub(super) async fn write(
        &self,
        operation: Operation,
        key: &str,
        headers: Option<HeaderMap>,
        value: Bytes,
    ) -> Result<u64, WriteError> {
        let guard = self.bucket.start_write(operation, key, value.len());
        let span = Recording::of(&guard);
        let published = self.publish(&span, key, headers, value);
        guard.run_judged(published, written).await
    }

    /// Puts a value for a key that has none, or that was deleted.
    pub(super) async fn create_or_recreate(
        &self,
        span: &Recording,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<u64, CreateFailure> {
        let mut headers = expecting(HeaderMap::new(), 0);
        if let Some(ttl) = ttl {
            headers = expiring(headers, ttl);
        }
        let first = self.publish(span, key, Some(headers), value.clone()).await;
        let Err(refused) = first else {
            return first.map_err(CreateFailure::Write);
        };
        let revision = match self.inner.entry(key).await {
            Ok(Some(Entry {
                operation: kv::Operation::Delete | kv::Operation::Purge,
                revision,
                ..
            })) => revision,
            Ok(Some(_)) => return Err(CreateFailure::AlreadyExists),
            Ok(None) => return Err(CreateFailure::Write(refused)),
            Err(error) => return Err(CreateFailure::Read(error)),
        };
        let headers = expecting(HeaderMap::new(), revision);
        let again = self.publish(span, key, Some(headers), value).await;
        again.map_err(CreateFailure::Write)
    }

    /// Publishes with the current context, and waits until the message is stored.
    async fn publish(
        &self,
        span: &Recording,
        key: &str,
        headers: Option<HeaderMap>,
        value: Bytes,
    ) -> Result<u64, WriteError> {
        if !is_valid_key(key) {
            return Err(WriteError::InvalidKey);
        }
        let size = self.size(value.len());
        let settings = &self.bucket.settings;
        let carrying = settings.inject(&Context::current(), headers.clone(), size);
        let stored = if carrying == headers {
            self.store(key, headers, value).await
        } else {
            match self.store(key, carrying, value.clone()).await {
                // The bucket takes less than it did when it was opened.
                Err(error) if error.is_too_large() => self.store(key, headers, value).await,
                stored => stored,
            }
        };
        if let Ok(revision) = &stored {
            span.set(|| [sequence(*revision)]);
        }
        stored
    }

    async fn store(
        &self,
        key: &str,
        headers: Option<HeaderMap>,
        value: Bytes,
    ) -> Result<u64, WriteError> {
        let prefix = self.inner.put_prefix.as_ref();
        let prefix = prefix.unwrap_or(&self.inner.prefix);
        let subject = format!("{prefix}{key}");
        if self.inner.use_jetstream_prefix {
            return self.store_below_prefix(subject, headers, value).await;
        }
        let sent = match headers {
            Some(headers) => {
                let context = &self.context;
                context.publish_with_headers(subject, headers, value).await
            }
            None => self.context.publish(subject, value).await,
        };
        let stored = sent.map_err(WriteError::Publish)?.await;
        Ok(stored.map_err(WriteError::Ack)?.sequence)
    }

    fn size(&self, body: usize) -> Size {
        let bucket = self.inner.stream.cached_info().config.max_message_size;
        let bucket = usize::try_from(bucket).ok().filter(|max| *max > 0);
        let server = self.context.client().max_payload();
        let most = server.min(body.saturating_add(MAX_HEADERS));
        Size {
            body,
            max: bucket.map_or(most, |bucket| bucket.min(most)),
        }
    }
}
