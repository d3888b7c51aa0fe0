use super::Call;
use super::idle::Idle;
use crate::attributes;
use async_nats::client::{RequestError, RequestErrorKind};
use async_nats::{Message, StatusCode};
use dynamo_trace_core::Ending;
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Replies of which the last one has not come.
pub(super) struct Open {
    pub(super) inner: async_nats::Subscriber,
    pub(super) call: Call,
    pub(super) is_last: Option<IsLast>,
    /// How many may still come, if that was said.
    pub(super) left: Option<usize>,
    idle: Idle,
}

type IsLast = Box<dyn FnMut(&Message) -> bool + Send>;

/// What a poll gave, and how the stream ends if that was all.
type Polled = (Option<Result<Message, RequestError>>, Option<Ending>);

impl Open {
    pub(super) fn new(inner: async_nats::Subscriber, call: Call, idle: Option<Duration>) -> Self {
        Self {
            inner,
            call,
            is_last: None,
            left: None,
            idle: Idle::new(idle),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        if self.left == Some(0) {
            return Poll::Ready((None, Some(Ending::Complete)));
        }
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(message)) => Poll::Ready(self.take(message)),
            Poll::Ready(None) => Poll::Ready(closed()),
            Poll::Pending => self.idle.poll(cx).map(|()| timed_out()),
        }
    }

    fn take(&mut self, message: Message) -> Polled {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return failed(RequestErrorKind::NoResponders, "no responders");
        }
        self.idle.reset();
        let mut is_last = false;
        if let Some(left) = &mut self.left {
            *left -= 1;
            is_last = *left == 0;
        }
        if let Some(ask) = &mut self.is_last {
            is_last |= self.call.ask(ask, &message);
        }
        self.call.count(&message, is_last);
        (Some(Ok(message)), is_last.then_some(Ending::Complete))
    }
}

fn timed_out() -> Polled {
    failed(RequestErrorKind::TimedOut, "no reply in time")
}

fn closed() -> Polled {
    let error = RequestError::with_source(RequestErrorKind::Other, "the client was closed");
    (Some(Err(error)), Some(Ending::failed("connection_closed")))
}

fn failed(kind: RequestErrorKind, what: &'static str) -> Polled {
    let error = RequestError::with_source(kind, what);
    let ending = attributes::not_replied(&error);
    (Some(Err(error)), Some(ending))
}
