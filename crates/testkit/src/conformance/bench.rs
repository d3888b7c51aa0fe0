use super::caller::{Caller, Calling};
use super::harness::{Handles, Harness, Provider, RawError};
use super::spans;
use super::wait::{wait_for, within};
use super::work::{Arrival, State, Work};
use crate::span_log::SpanLog;
use crate::vectors::WireField;
use bytes::Bytes;
use dynamo_trace_core::Propagation;
use opentelemetry::Context;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::watch;

/// A started harness, and what the suite sees of it.
pub(super) struct Bench<H> {
    harness: H,
    work: Work,
    pub(super) spans: SpanLog,
}

impl<H: Harness> Bench<H> {
    pub(super) async fn with_sdk() -> Self {
        let spans = SpanLog::default();
        let provider = Provider::Sdk(spans.provider());
        Self::start(provider, spans).await
    }

    pub(super) async fn without_sdk() -> Self {
        Self::start(Provider::None, SpanLog::default()).await
    }

    async fn start(provider: Provider, spans: SpanLog) -> Self {
        let propagation = Propagation::w3c();
        let work = Work::new(propagation.clone());
        let handles = Handles {
            provider,
            propagation,
        };
        let harness = within("the harness to start", H::start(handles, work.clone())).await;
        Self {
            harness,
            work,
            spans,
        }
    }

    /// Sends as a caller with this context.
    pub(super) async fn send(
        &self,
        context: Context,
        payload: impl Into<Bytes>,
    ) -> Result<(), String> {
        within("send()", self.sending(context, payload)).await
    }

    /// The same, with no deadline.
    pub(super) fn sending(
        &self,
        context: Context,
        payload: impl Into<Bytes>,
    ) -> impl Future<Output = Result<(), String>> + Send {
        Calling::new(context, self.harness.send(payload.into()))
    }

    /// Sends as a caller, and gives what arrived.
    pub(super) async fn pass(&self, caller: &Caller, payload: impl Into<Bytes>) -> Arrival {
        let payload = payload.into();
        let sent = self.send(caller.context(), payload.clone()).await;
        assert_eq!(sent, Ok(()), "sending {payload:?}");
        self.returned(payload).await
    }

    /// Sends fields as they stand, and gives what arrived; nothing if no sender can send them.
    pub(super) async fn pass_raw(&self, fields: Vec<WireField>, payload: &str) -> Option<Arrival> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let sending = self.harness.send_raw(fields, payload.clone());
        let sent = within("send_raw()", sending).await;
        if sent == Err(RawError::Unrepresentable) {
            return None;
        }
        assert_eq!(sent, Ok(()), "sending {payload:?}");
        Some(self.returned(&payload).await)
    }

    /// Waits until the work on `payload` has returned.
    pub(super) async fn returned(&self, payload: impl AsRef<[u8]>) -> Arrival {
        self.arrived(payload, State::Returned).await
    }

    /// Waits until the work on `payload` is in this state.
    pub(super) async fn arrived(&self, payload: impl AsRef<[u8]>, state: State) -> Arrival {
        let payload = payload.as_ref();
        let what = format!("{:?} to be {state:?}", String::from_utf8_lossy(payload));
        let arrivals = self.work.arrivals();
        wait_for(arrivals, &what, |arrivals| {
            let mut arrivals = arrivals.iter();
            let found = arrivals.find(|a| a.payload == payload && a.state == state)?;
            Some(found.clone())
        })
        .await
    }

    /// Waits until the work on `count` payloads has returned.
    pub(super) async fn all_returned(&self, count: usize) -> Vec<Arrival> {
        let what = format!("{count} payloads to arrive");
        wait_for(self.work.arrivals(), &what, |arrivals| {
            let returned = arrivals.iter().filter(|a| a.state == State::Returned);
            (returned.count() >= count).then(|| arrivals.clone())
        })
        .await
    }

    /// Everything that arrived so far, and a way to wait for more.
    pub(super) fn arrivals(&self) -> watch::Receiver<Vec<Arrival>> {
        self.work.arrivals()
    }

    /// Stops the receiver, and gives every span once all have ended.
    pub(super) async fn stop(self) -> Vec<SpanData> {
        within("the harness to stop", self.harness.stop()).await;
        spans::all_ended(&self.spans).await
    }
}
