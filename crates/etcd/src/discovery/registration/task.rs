use super::keep::Keeper;
use super::order::{Deregister, Update, put_updates};
use super::place::Place;
use super::{Error, Registered, Registration, State, within};
use crate::backoff::Backoff;
use crate::discovery::quiet;
use opentelemetry::Context;
use opentelemetry::trace::SpanContext;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Keeps an instance registered.
pub(super) struct Task {
    /// With the value that a new registration has.
    registration: Registration,
    place: Place,
    /// The span of the first registration.
    first: SpanContext,
    count: i64,
    states: watch::Sender<State>,
    updates: mpsc::Receiver<Update>,
    /// That is being put.
    pending: Option<Update>,
    backoff: Backoff,
}

impl Task {
    /// Takes care of what `place` has claimed.
    pub(super) fn spawn(
        registration: Registration,
        place: Place,
        first: SpanContext,
    ) -> Registered {
        let lease = place.lease.map_or(0, |lease| lease.id);
        let (states, seen) = watch::channel(State::Registered { lease, count: 1 });
        let (update, updates) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let task = Self {
            registration,
            place,
            first,
            count: 1,
            states,
            updates,
            pending: None,
            backoff: Backoff::new(Backoff::MOST),
        };
        tokio::spawn(task.run(ended));
        Registered::new(seen, update, end)
    }

    async fn run(mut self, ended: oneshot::Receiver<Deregister>) {
        let end = tokio::select! {
            biased;
            end = ended => end.ok(),
            never = self.stay() => match never {},
        };
        let etcd = self.place.etcd.clone();
        let Some(end) = end else {
            if let Err(error) = quiet(&etcd, self.place.leave()).await {
                tracing::debug!(target: "dynamo_trace", %error, "a lease is left to expire");
            }
            return;
        };
        let left = within(&etcd, end.context, self.place.leave()).await;
        // Nobody may be waiting any more.
        let _ = end.answer.send(left);
    }

    async fn stay(&mut self) -> Infallible {
        loop {
            self.hold().await;
            let error = Arc::new(Error::LeaseGone);
            self.states.send_replace(State::Lost { error });
            self.register_anew().await;
        }
    }

    /// Ends when the lease is gone.
    async fn hold(&mut self) {
        let Some(lease) = self.place.lease else {
            return;
        };
        let keeper = Keeper {
            etcd: &self.place.etcd,
            lease,
            count: self.count,
            states: &self.states,
            confirmed: Instant::now(),
        };
        let value = &mut self.registration.value;
        let updates = put_updates(
            &self.place,
            lease.id,
            &mut self.updates,
            &mut self.pending,
            value,
        );
        tokio::select! {
            () = quiet(&self.place.etcd, keeper.keep()) => {}
            () = updates => {}
        }
    }

    /// Tries until it is done. An update that found the lease gone is tried once.
    async fn register_anew(&mut self) {
        self.place.lease = None;
        self.count += 1;
        let root = Context::new();
        let span = self
            .registration
            .start(self.count, Some(&self.first), &root);
        let (place, value) = (&mut self.place, &mut self.registration.value);
        let (states, pending) = (&self.states, &mut self.pending);
        let backoff = &mut self.backoff;
        let register = async move {
            loop {
                // Also the first time: many may have lost their leases at once, or this one again.
                backoff.pause().await;
                let update = pending.as_ref().map(|update| &update.what);
                let claimed = place.try_claim(update.unwrap_or(value)).await;
                let claimed = match pending.take() {
                    Some(update) => update.finish(claimed, value),
                    None => claimed,
                };
                let Err(error) = claimed else { return };
                tracing::debug!(target: "dynamo_trace", %error, "not registered anew");
                let error = Arc::new(error);
                states.send_replace(State::Lost { error });
            }
        };
        span.run(register).await;
        let lease = self.place.lease.map_or(0, |lease| lease.id);
        let count = self.count;
        self.states.send_replace(State::Registered { lease, count });
    }
}
