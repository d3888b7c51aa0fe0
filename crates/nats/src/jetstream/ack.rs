use super::{attributes, error_type};
use async_nats::jetstream::context::{self, PublishError};
use async_nats::jetstream::publish::PublishAck;
use dynamo_trace_core::{Ending, SpanGuard};
use std::pin::Pin;
use std::task::{Poll, ready};

/// The acknowledgement of a message that was published, to be awaited: now, later, or elsewhere.
///
/// The span of the publish ends as the acknowledgement is seen; what came while nobody polled for
/// it counts as waiting. Dropped without being awaited, this leaves the message published and ends
/// the span at once as complete, with `dynamo_trace.ack_awaited` = false: nobody learned whether
/// the message was stored.
#[derive(Debug)]
pub struct PublishAckFuture {
    inner: context::PublishAckFuture,
    span: Unawaited,
}

impl PublishAckFuture {
    pub(super) const fn new(inner: context::PublishAckFuture, guard: SpanGuard) -> Self {
        Self {
            inner,
            span: Unawaited(Some(guard)),
        }
    }
}

impl IntoFuture for PublishAckFuture {
    type Output = Result<PublishAck, PublishError>;
    type IntoFuture = Acknowledgement;

    fn into_future(mut self) -> Acknowledgement {
        Acknowledgement {
            inner: self.inner.into_future(),
            guard: self.span.0.take(),
        }
    }
}

/// The span of a publish whose acknowledgement nobody has begun to await.
#[derive(Debug)]
struct Unawaited(Option<SpanGuard>);

impl Drop for Unawaited {
    fn drop(&mut self) {
        let Some(guard) = self.0.take() else {
            return;
        };
        let ending = match Ending::dropped() {
            Ending::Cancelled => Ending::Complete,
            unwinding => unwinding,
        };
        guard.set_attributes([attributes::ack_awaited(false)]);
        guard.end(ending);
    }
}

/// A [`PublishAckFuture`] that is awaited. Ends the span of the publish with the acknowledgement.
///
/// # Errors
///
/// As [`async_nats::jetstream::context::PublishAckFuture`]; the span ends as failed.
///
/// # Cancel safety
///
/// Dropping it gives up the acknowledgement, and ends the span as cancelled; the message may be
/// stored.
#[must_use = "futures do nothing unless polled"]
pub struct Acknowledgement {
    inner: <context::PublishAckFuture as IntoFuture>::IntoFuture,
    guard: Option<SpanGuard>,
}

impl Future for Acknowledgement {
    type Output = Result<PublishAck, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let output = ready!(self.inner.as_mut().poll(cx));
        if let Some(guard) = self.guard.take() {
            let ending = match &output {
                Ok(ack) => {
                    guard.set_attributes(attributes::stored(ack));
                    Ending::Complete
                }
                Err(error) => Ending::failed(error_type::not_stored(error)),
            };
            guard.end(ending);
        }
        Poll::Ready(output)
    }
}

impl std::fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledgement")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
