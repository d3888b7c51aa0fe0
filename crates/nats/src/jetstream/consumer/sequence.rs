use super::fetch::FetchSpan;
use super::{Batch, Origin};
use crate::jetstream::error_type;
use async_nats::jetstream::consumer::pull::{self, MessagesError};
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Pull requests one after the other: a stream of [`Batch`]es, each with a span of its own that
/// begins as the batch is first asked for.
#[must_use = "streams do nothing unless polled"]
pub struct Sequence {
    inner: pull::Sequence,
    batch: usize,
    origin: Arc<Origin>,
    /// Of the request that is being sent.
    span: Option<FetchSpan>,
}

impl Sequence {
    pub(super) const fn new(inner: pull::Sequence, batch: usize, origin: Arc<Origin>) -> Self {
        Self {
            inner,
            batch,
            origin,
            span: None,
        }
    }

    /// The next batch.
    ///
    /// # Errors
    ///
    /// As the stream of the same name of async-nats; the span of the request ends as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message; the request goes on when it is asked for again.
    pub async fn next(&mut self) -> Option<Result<Batch, MessagesError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Sequence {
    type Item = Result<Batch, MessagesError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let start = || FetchSpan::start(&this.origin, this.batch);
        this.span.get_or_insert_with(start);
        let batch = ready!(Pin::new(&mut this.inner).poll_next(cx));
        let span = this.span.take();
        Poll::Ready(match (batch, span) {
            (Some(Ok(batch)), Some(span)) => Some(Ok(Batch::new(batch, this.origin.clone(), span))),
            (Some(Err(error)), Some(span)) => {
                span.fail(error_type::pull_failed(&error));
                Some(Err(error))
            }
            _ => None,
        })
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence")
            .field("batch", &self.batch)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
