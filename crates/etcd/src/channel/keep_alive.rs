//! Keep-alives that failed: nothing else tells of them, since the span of the stream covers its
//! opening alone.

use super::messages::Messages;
use bytes::Bytes;
use dynamo_trace_grpc::status;
use http::{HeaderMap, Response, Uri};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use prost::Message;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tonic::body::Body;
use tonic::{Code, Status};

/// How often leases were not kept alive, by one client and its clones. See
/// [`Client::keep_alive_failures`](crate::Client::keep_alive_failures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAliveFailures {
    /// Answers with a time to live of 0: the lease had expired, or was revoked.
    pub gone: u64,
    /// Streams that could not be opened, or ended with an error. One that the client drops has
    /// not failed.
    pub broken: u64,
}

/// Counts failures.
#[derive(Debug, Default)]
pub(crate) struct KeepAlives {
    gone: AtomicU64,
    broken: AtomicU64,
}

pub(super) fn is_opened_by(uri: &Uri) -> bool {
    uri.path() == "/etcdserverpb.Lease/LeaseKeepAlive"
}

impl KeepAlives {
    pub(crate) fn failures(&self) -> KeepAliveFailures {
        KeepAliveFailures {
            gone: self.gone.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
        }
    }

    /// Takes note of what came of opening a stream, and of what comes on it.
    pub(super) fn observe<B, E>(
        self: Arc<Self>,
        response: Result<Response<B>, E>,
    ) -> Result<Response<Body>, E>
    where
        B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
    {
        let Ok(response) = response else {
            self.broke();
            return response.map(|response| response.map(Body::new));
        };
        if is_failure(response.headers()) || !response.status().is_success() {
            self.broke();
            return Ok(response.map(Body::new));
        }
        Ok(response.map(|inner| {
            Body::new(Answers {
                inner,
                messages: Messages::default(),
                keep_alives: self,
            })
        }))
    }

    fn gone(&self) {
        tell(&self.gone, "the lease is gone");
    }

    fn broke(&self) {
        tell(&self.broken, "the stream broke");
    }
}

/// Counts, and tells of the first, second, fourth, eighth .. time.
fn tell(count: &AtomicU64, why: &str) {
    let times = count.fetch_add(1, Ordering::Relaxed) + 1;
    if times.is_power_of_two() {
        tracing::debug!(target: "dynamo_trace", times, "etcd lease not kept alive: {why}");
    }
}

/// Whether there is a status, and it is not `OK`.
fn is_failure(headers: &HeaderMap) -> bool {
    status::of(headers).is_some_and(|code| code != Code::Ok)
}

pin_project! {
    /// The answers to keep-alives, on their way.
    struct Answers<B> {
        #[pin]
        inner: B,
        messages: Messages,
        keep_alives: Arc<KeepAlives>,
    }
}

impl<B> http_body::Body for Answers<B>
where
    B: http_body::Body<Data = Bytes, Error = Status>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let polled = ready!(this.inner.poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.messages.read(data, |answer| {
                        if KeepAlive::decode(answer).is_ok_and(|answer| answer.ttl <= 0) {
                            this.keep_alives.gone();
                        }
                    });
                }
                if frame.trailers_ref().is_some_and(is_failure) {
                    this.keep_alives.broke();
                }
            }
            Some(Err(_)) => this.keep_alives.broke(),
            None => {}
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// `LeaseKeepAliveResponse`: what is asked of it.
#[derive(Clone, PartialEq, Message)]
struct KeepAlive {
    #[prost(int64, tag = "3")]
    ttl: i64,
}

#[cfg(test)]
mod tests;
