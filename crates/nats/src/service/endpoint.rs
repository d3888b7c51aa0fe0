//! The endpoints of a service, with the names of [`async_nats::service::endpoint`].

use super::Request;
use super::scope::Served;
use dynamo_trace_core::Received;
use dynamo_trace_core::received::Delivery;
use futures_core::Stream;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub use async_nats::service::endpoint::{Info, Stats};

/// The requests of an endpoint: a stream of [`Received<Request>`](Received). Dropping it
/// unsubscribes.
///
/// It ends when the endpoint or its service is stopped, after the requests that have arrived. What
/// has arrived and is not yet taken has no span. The time that async-nats counts for a request
/// begins when it is taken.
#[must_use = "dropping an endpoint unsubscribes"]
pub struct Endpoint {
    inner: async_nats::service::endpoint::Endpoint,
    served: Arc<Served>,
}

impl Endpoint {
    pub(super) fn new(inner: async_nats::service::endpoint::Endpoint, served: Served) -> Self {
        Self {
            inner,
            served: Arc::new(served),
        }
    }

    /// The next request; nothing when the endpoint, its service or the client has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no request.
    pub async fn next(&mut self) -> Option<Received<Request>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Unsubscribes at once; requests that were not taken are still there to take.
    ///
    /// # Errors
    ///
    /// As [`async_nats::service::endpoint::Endpoint::stop`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes leaves the subscription.
    pub async fn stop(&mut self) -> Result<(), io::Error> {
        self.inner.stop().await
    }
}

impl Stream for Endpoint {
    type Item = Received<Request>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(next.map(|request| {
            let remote = self.served.remote(&request.message);
            let request = Request::new(request, self.served.clone());
            // As with any message of plain NATS, nobody says when it was sent.
            Received::new(request, remote, Delivery::default(), self.served.clone())
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
