use bytes::Bytes;
use dynamo_trace_core::Propagation;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What the receiving side does with each payload. Given by the suite; cheap to clone.
///
/// It takes down what the next hop would be sent, and then behaves as the payload's prefix
/// says: `ok:` returns, `yield:` gives way several times before, `fail:` fails, `hang:` never
/// returns. Any other payload returns like `ok:`.
#[derive(Clone, Debug)]
pub struct Work {
    propagation: Propagation,
    arrivals: Arc<watch::Sender<Vec<Arrival>>>,
}

/// The work failed, since the payload asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload asked for a failure")]
pub struct WorkError;

/// One payload that reached the receiver.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) payload: Bytes,
    /// What would be sent on: the current context, injected.
    pub(super) fields: BTreeMap<String, String>,
    /// The current span.
    pub(super) span: SpanContext,
    /// The current span was the same whenever the work ran.
    pub(super) steady: bool,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Returned,
    Dropped,
}

const YIELDS: usize = 5;

impl Work {
    pub(super) fn new(propagation: Propagation) -> Self {
        Self {
            propagation,
            arrivals: Arc::default(),
        }
    }

    /// Works on `payload`; the reply is the payload itself. The receiver of a harness calls this
    /// inside the adapter's context.
    ///
    /// # Errors
    ///
    /// [`WorkError`] if the payload starts with `fail:`.
    pub async fn run(&self, payload: Bytes) -> Result<Bytes, WorkError> {
        let running = Running::start(self, &payload);
        if payload.starts_with(b"yield:") {
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
                running.check_context();
            }
        } else if payload.starts_with(b"hang:") {
            std::future::pending::<()>().await;
        }
        running.change(|arrival| arrival.state = State::Returned);
        if payload.starts_with(b"fail:") {
            return Err(WorkError);
        }
        Ok(payload)
    }

    pub(super) fn arrivals(&self) -> watch::Receiver<Vec<Arrival>> {
        self.arrivals.subscribe()
    }
}

/// The entry of one running payload; takes down when the work is dropped.
struct Running<'w> {
    work: &'w Work,
    at: usize,
    span: SpanContext,
}

impl<'w> Running<'w> {
    fn start(work: &'w Work, payload: &Bytes) -> Self {
        let context = Context::current();
        let mut fields = BTreeMap::new();
        work.propagation.inject(&context, &mut fields);
        let span = context.span().span_context().clone();
        let mut at = 0;
        work.arrivals.send_modify(|arrivals| {
            at = arrivals.len();
            arrivals.push(Arrival {
                payload: payload.clone(),
                fields,
                span: span.clone(),
                steady: true,
                state: State::Running,
            });
        });
        Self { work, at, span }
    }

    fn check_context(&self) {
        if Context::current().span().span_context() != &self.span {
            self.change(|arrival| arrival.steady = false);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Arrival)) {
        self.work.arrivals.send_modify(|arrivals| {
            if let Some(arrival) = arrivals.get_mut(self.at) {
                change(arrival);
            }
        });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.change(|arrival| {
            if arrival.state == State::Running {
                arrival.state = State::Dropped;
            }
        });
    }
}
