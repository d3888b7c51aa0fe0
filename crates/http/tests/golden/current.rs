//! Where the bodies that a client reads are polled.

use crate::{Telemetry, get, soon};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn the_body_is_polled_with_the_span_current() {
    for with_body in [true, false] {
        let telemetry = Telemetry::new();
        let seen = Arc::<Mutex<Vec<SpanId>>>::default();
        let note = {
            let seen = seen.clone();
            move || {
                let current = Context::current().span().span_context().span_id();
                seen.lock().unwrap().push(current);
            }
        };
        let answer = service_fn(move |_: Request<Body>| {
            let note = note.clone();
            let frames = futures_util::stream::iter(0..2).map_noting(note);
            std::future::ready(Ok::<_, Infallible>(Response::new(StreamBody::new(frames))))
        });
        let layer = telemetry.client();
        let layer = if with_body { layer.with_body() } else { layer };
        let response = soon(layer.layer(answer).oneshot(get("/"))).await.unwrap();
        assert_eq!(telemetry.count(), usize::from(!with_body));
        soon(response.collect()).await.unwrap();
        let [span] = telemetry.ended().await;
        // A span that has ended is nobody's parent.
        let expected = match with_body {
            true => span.span_context.span_id(),
            false => SpanId::INVALID,
        };
        assert_eq!(*seen.lock().unwrap(), [expected; 3]);
    }
}

trait MapNoting: futures_util::Stream<Item = i32> + Unpin + Sized {
    /// Chunks, each of which is noted, and their end as well.
    fn map_noting(
        mut self,
        note: impl Fn(),
    ) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> {
        futures_util::stream::poll_fn(move |cx| {
            note();
            let next = std::pin::Pin::new(&mut self).poll_next(cx);
            next.map(|next| next.map(|_| Ok(Frame::data(Bytes::from_static(b"chunk")))))
        })
    }
}

impl<S: futures_util::Stream<Item = i32> + Unpin> MapNoting for S {}
