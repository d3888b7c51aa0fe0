//! Where the span is current, and where it is not: polled by hand.

use crate::{Telemetry, frames};
use bytes::Bytes;
use futures_util::poll;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tower::{Layer, Service, service_fn};

/// The current span at each place, by its name.
type Seen = Arc<Mutex<Vec<(&'static str, SpanId)>>>;

fn current() -> SpanId {
    Context::current().span().span_context().span_id()
}

fn note(seen: &Seen, place: &'static str) {
    seen.lock().unwrap().push((place, current()));
}

struct NoteOnDrop(Seen, &'static str);

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        note(&self.0, self.1);
    }
}

/// Gives way before each frame.
struct Chunks {
    seen: Seen,
    left: u8,
    ready: bool,
    _dropped: NoteOnDrop,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        note(&self.seen, "poll_frame");
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"chunk")))))
    }
}

/// Notes where it runs: in `call`, in the future across a yield, in the body.
fn noting(
    seen: &Seen,
) -> impl Service<
    Request<()>,
    Response = Response<Chunks>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Chunks>, Infallible>>,
> + use<> {
    let seen = seen.clone();
    service_fn(move |_| {
        note(&seen, "call");
        let seen = seen.clone();
        async move {
            let _dropped = NoteOnDrop(seen.clone(), "future dropped");
            note(&seen, "future");
            tokio::task::yield_now().await;
            note(&seen, "future");
            Ok(Response::new(Chunks {
                left: 2,
                ready: false,
                _dropped: NoteOnDrop(seen.clone(), "body dropped"),
                seen,
            }))
        }
    })
}

#[tokio::test]
async fn it_is_current_in_all_that_runs_inside() {
    let (telemetry, seen) = (Telemetry::new(), Seen::default());
    let mut service = telemetry.server().layer(noting(&seen));
    let mut call = pin!(service.call(Request::new(())));
    assert_eq!(current(), SpanId::INVALID, "after call");
    assert!(poll!(&mut call).is_pending());
    assert_eq!(current(), SpanId::INVALID, "after a poll");
    let mut body = pin!(call.await.unwrap().into_body());
    assert_eq!(current(), SpanId::INVALID, "after the head");
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        assert_eq!(current(), SpanId::INVALID, "after a frame");
    }
    let [span] = telemetry.ended().await;
    let seen = seen.lock().unwrap().clone();
    let outside: Vec<_> = seen
        .iter()
        .filter(|(_, id)| *id != span.span_context.span_id())
        .collect();
    assert!(outside.is_empty(), "outside of the span: {outside:?}");
    let places: Vec<_> = seen.iter().map(|(place, _)| *place).collect();
    let polls = ["poll_frame"; 6];
    let expected = [
        ["call", "future", "future", "future dropped"].as_slice(),
        &polls,
        &["body dropped"],
    ];
    assert_eq!(places, expected.concat());
}

#[tokio::test]
async fn it_is_current_where_the_work_is_dropped() {
    let (telemetry, seen) = (Telemetry::new(), Seen::default());
    let mut service = telemetry.server().layer(noting(&seen));

    let mut call = Box::pin(service.call(Request::new(())));
    assert!(poll!(&mut call).is_pending());
    drop(call);
    let mut body = Box::pin(service.call(Request::new(())).await.unwrap().into_body());
    body.frame().await.unwrap().unwrap();
    drop(body);

    let [first, second] = telemetry.ended().await;
    let seen = seen.lock().unwrap().clone();
    let dropped: Vec<_> = seen
        .into_iter()
        .filter(|(place, _)| place.ends_with("dropped"))
        .collect();
    let [first, second] = [first, second].map(|span| span.span_context.span_id());
    let expected = [
        ("future dropped", first),
        ("future dropped", second),
        ("body dropped", second),
    ];
    assert_eq!(dropped, expected);
}

#[tokio::test]
async fn a_body_at_its_end_stays_there() {
    let telemetry = Telemetry::new();
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(frames([crate::data("one")])))
    });
    let response = telemetry.server().layer(service).call(Request::new(()));
    let mut body = response.await.unwrap().into_body();
    assert!(!body.is_end_stream());
    while body.frame().await.is_some() {}
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_end_the_span_at_once() {
    let telemetry = Telemetry::new();
    let service = service_fn(async |_: Request<()>| {
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        Ok::<_, Infallible>(Response::new(frames([crate::data("one"), trailers])))
    });
    let response = telemetry.server().layer(service).call(Request::new(()));
    let mut body = response.await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(telemetry.count(), 0);
    body.frame().await.unwrap().unwrap();
    assert_eq!(telemetry.count(), 1);
}

#[tokio::test]
async fn a_body_that_knows_its_end_ends_the_span_there() {
    let telemetry = Telemetry::new();
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("one")))
    });
    let response = telemetry.server().layer(service).call(Request::new(()));
    let mut body = response.await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(telemetry.count(), 0);
    body.frame().await.unwrap().unwrap();
    assert_eq!(telemetry.count(), 1);
    assert!(body.is_end_stream());
}

/// Reads the response, and tells of each place whether a span was current.
async fn places(
    seen: &Seen,
    response: Response<impl Body<Data = Bytes, Error = Infallible>>,
) -> Vec<(&'static str, bool)> {
    let mut body = Box::pin(response.into_body());
    while body.frame().await.is_some() {}
    drop(body);
    let noted = std::mem::take(&mut *seen.lock().unwrap());
    let inside = |(place, id)| (place, id != SpanId::INVALID);
    noted.into_iter().map(inside).collect()
}

#[tokio::test]
async fn it_is_the_same_where_the_span_is_not_recorded() {
    let unsampled = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::NOT_SAMPLED,
        true,
        TraceState::NONE,
    );
    let unsampled = Context::new().with_remote_span_context(unsampled);
    let (telemetry, seen) = (Telemetry::new(), Seen::default());
    let mut client = telemetry.client().layer(noting(&seen));
    let mut server = telemetry.server().layer(noting(&seen));
    let recorded = client.call(Request::new(())).await.unwrap();
    let recorded = places(&seen, recorded).await;
    let calling = {
        let _current = unsampled.clone().attach();
        client.call(Request::new(()))
    };
    let response = calling.await.unwrap();
    assert_eq!(places(&seen, response).await, recorded, "client");
    let recorded = server.call(Request::new(())).await.unwrap();
    let recorded = places(&seen, recorded).await;
    let calling = {
        let _current = unsampled.attach();
        server.call(Request::new(()))
    };
    let response = calling.await.unwrap();
    assert_eq!(places(&seen, response).await, recorded, "server");
    telemetry.ended::<2>().await;
}

#[tokio::test]
async fn nothing_comes_behind_an_error_or_trailers_recorded_or_not() {
    let telemetry = Telemetry::new();
    for flags in ["01", "00"] {
        for end in [Err("broken".into()), Ok(Frame::trailers(HeaderMap::new()))] {
            let mut body = Some(frames([crate::data("one"), end, crate::data("two")]));
            let service = service_fn(move |_: Request<()>| {
                std::future::ready(Ok::<_, Infallible>(Response::new(body.take().unwrap())))
            });
            let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
            let request = Request::builder().header("traceparent", format!("00-{ids}-{flags}"));
            let mut service = telemetry.server().layer(service);
            let response = service.call(request.body(()).unwrap()).await.unwrap();
            let mut body = response.into_body();
            let mut polls = 0;
            while body.frame().await.is_some() {
                polls += 1;
            }
            assert_eq!(polls, 2, "{flags}");
        }
    }
    telemetry.ended::<2>().await;
}
