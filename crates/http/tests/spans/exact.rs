//! What a body that tells its length, and a future that is done, see of the span.

use crate::telemetry::ending;
use crate::{Telemetry, soon};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tower::{Layer, ServiceExt, service_fn};

/// The current span, wherever something of these runs.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<SpanId>>>);

impl Seen {
    fn note(&self) {
        let current = Context::current().span().span_context().span_id();
        self.0.lock().unwrap().push(current);
    }
}

/// One chunk of 5 bytes, or none: then it says so, and not how long it is.
struct Told {
    seen: Seen,
    chunk: Option<Bytes>,
}

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.seen.note();
        Poll::Ready(self.chunk.take().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunk.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let chunk = self.chunk.as_ref();
        chunk.map_or_else(SizeHint::default, |chunk| {
            SizeHint::with_exact(chunk.len() as u64)
        })
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.seen.note();
    }
}

/// Is done at once, and holds something until it is dropped.
struct Answer(Option<Told>, Seen);

impl Future for Answer {
    type Output = Result<Response<Told>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.1.note();
        Poll::Ready(Ok(Response::new(self.0.take().unwrap())))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.1.note();
    }
}

/// Calls a service that answers so.
async fn answered(
    telemetry: &Telemetry,
    chunk: Option<&'static str>,
) -> (
    [Seen; 2],
    Response<impl Body<Data = Bytes, Error = Infallible> + use<>>,
) {
    let [of_body, of_future] = [Seen::default(), Seen::default()];
    let told = Told {
        seen: of_body.clone(),
        chunk: chunk.map(Into::into),
    };
    let mut answer = Some(Answer(Some(told), of_future.clone()));
    let service = service_fn(move |_: Request<()>| answer.take().unwrap());
    let service = telemetry.server().layer(service);
    let response = soon(service.oneshot(Request::new(()))).await.unwrap();
    ([of_body, of_future], response)
}

#[tokio::test]
async fn it_is_made_in_the_span_that_records() {
    let telemetry = Telemetry::new();
    let ([of_body, of_future], response) = answered(&telemetry, Some("chunk")).await;
    assert_eq!(telemetry.count(), 0, "it lasts as long as the body");
    soon(response.into_body().collect()).await.unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    // Polled and dropped.
    let own = span.span_context.span_id();
    assert_eq!(*of_body.0.lock().unwrap(), [own; 2]);
    assert_eq!(*of_future.0.lock().unwrap(), [own; 2]);
}

#[tokio::test]
async fn an_empty_body_is_not_waited_for() {
    let telemetry = Telemetry::new();
    let (_, response) = answered(&telemetry, None).await;
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
    drop(response);
}
