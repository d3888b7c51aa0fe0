use super::attributes::STREAM_BYTES;
use crate::attributes::{OTHER, body_size};
use async_nats::jetstream::object_store::{self, AsObjectInfo, ObjectInfo};
use dynamo_trace_core::{Ending, SpanGuard};
use opentelemetry::KeyValue;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;
use tokio::io::{AsyncRead, ReadBuf};

/// An object that is being read. Made by [`ObjectStore::get`](super::ObjectStore::get).
///
/// Its span ends complete when the last byte is read, as failed (`timeout`, `invalid_data` for a
/// wrong digest, or `_OTHER`) when a read fails, and as cancelled when the object is dropped
/// before. A read that fails gives no bytes. `messaging.message.body.size` is the size of the object and
/// `dynamo_trace.stream.bytes` how much of it was read, both in bytes. While it is read the span
/// is not current: reading is the business of the reader.
#[derive(Debug)]
pub struct Object {
    inner: object_store::Object,
    reading: Option<Reading>,
}

/// The span of an object that is not read to its end.
#[derive(Debug)]
struct Reading {
    guard: SpanGuard,
    bytes: usize,
}

impl Object {
    pub(super) fn new(inner: object_store::Object, guard: SpanGuard) -> Self {
        guard.set_attributes(std::iter::once_with(|| body_size(inner.info.size)));
        let mut object = Self {
            inner,
            reading: Some(Reading { guard, bytes: 0 }),
        };
        object.ended_if_read();
        object
    }

    /// The object alone. Its span ends as if it were dropped.
    #[must_use]
    pub fn into_inner(self) -> object_store::Object {
        self.inner
    }

    /// Who knows the size does not read on to see that nothing follows.
    fn ended_if_read(&mut self) {
        let size = self.inner.info.size;
        if self.reading.as_ref().is_some_and(|r| r.bytes >= size) {
            self.end(Ending::Complete);
        }
    }

    fn end(&mut self, ending: Ending) {
        if let Some(reading) = self.reading.take() {
            reading.end(ending);
        }
    }
}

impl AsyncRead for Object {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, asked) = (buf.filled().len(), buf.remaining() > 0);
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if read.is_err() {
            // async-nats fills in a chunk before it finds its digest wrong, at which tokio's
            // readers panic.
            buf.set_filled(before);
        }
        let bytes = buf.filled().len().saturating_sub(before);
        if let Some(reading) = &mut self.reading {
            reading.bytes = reading.bytes.saturating_add(bytes);
        }
        match &read {
            Err(error) => self.end(Ending::failed(error_type(error))),
            Ok(()) if bytes == 0 && asked => self.end(Ending::Complete),
            Ok(()) => self.ended_if_read(),
        }
        Poll::Ready(read)
    }
}

impl Reading {
    fn end(mut self, ending: Ending) {
        self.set_bytes();
        self.guard.end_at(ending, SystemTime::now());
    }

    fn set_bytes(&self) {
        let bytes = || KeyValue::new(STREAM_BYTES, i64::try_from(self.bytes).unwrap_or(i64::MAX));
        self.guard.set_attributes(std::iter::once_with(bytes));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.set_bytes();
    }
}

fn error_type(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::InvalidData => "invalid_data",
        _ => OTHER,
    }
}

impl Deref for Object {
    type Target = object_store::Object;

    fn deref(&self) -> &object_store::Object {
        &self.inner
    }
}

/// For [`add_link`](super::ObjectStore::add_link).
impl AsObjectInfo for &Object {
    fn as_info(&self) -> &ObjectInfo {
        &self.inner.info
    }
}
