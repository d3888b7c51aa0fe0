use super::*;
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;

/// An answer: a header of two bytes, the lease, and its time to live if it is not 0.
fn answer(ttl: u8) -> Bytes {
    let mut message = vec![0x0a, 2, 8, 1, 0x10, 7];
    if ttl > 0 {
        message.extend([0x18, ttl]);
    }
    let prefix = [0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
    [&prefix[..], &message].concat().into()
}

fn status(code: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
}

/// What is counted of a stream of these frames, and that all of them arrive.
async fn counted(frames: Vec<Result<Frame<Bytes>, Status>>) -> KeepAliveFailures {
    let keep_alives = Arc::new(KeepAlives::default());
    let sent = frames.len();
    let body = StreamBody::new(Frames(frames.into_iter()));
    let response = Ok::<_, Infallible>(Response::new(body));
    let Ok(response) = Arc::clone(&keep_alives).observe(response);
    let mut body = response.into_body();
    let mut received = 0;
    while let Some(_frame) = body.frame().await {
        received += 1;
    }
    assert_eq!(received, sent);
    keep_alives.failures()
}

struct Frames(std::vec::IntoIter<Result<Frame<Bytes>, Status>>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

fn failures(gone: u64, broken: u64) -> KeepAliveFailures {
    KeepAliveFailures { gone, broken }
}

#[tokio::test]
async fn what_failed_is_counted_and_nothing_else() {
    let data = |bytes: &Bytes| Ok(Frame::data(bytes.clone()));
    let ended = |code| Ok(Frame::trailers(status(code)));
    let (alive, gone) = (answer(60), answer(0));
    assert_eq!(
        counted(vec![data(&alive), ended("0")]).await,
        failures(0, 0)
    );
    assert_eq!(counted(vec![data(&alive)]).await, failures(0, 0));
    assert_eq!(
        counted(vec![data(&gone), data(&gone)]).await,
        failures(2, 0)
    );
    let halves = [gone.slice(..7), gone.slice(7..)];
    assert_eq!(
        counted(halves.iter().map(data).collect()).await,
        failures(1, 0)
    );
    let both = [&alive[..], &gone].concat().into();
    assert_eq!(
        counted(vec![data(&both), ended("14")]).await,
        failures(1, 1)
    );
    let error = Err(Status::unavailable("gone"));
    assert_eq!(counted(vec![data(&alive), error]).await, failures(0, 1));
    let garbage = Bytes::from_static(&[0, 0, 0, 0, 1, 0xff]);
    assert_eq!(counted(vec![data(&garbage)]).await, failures(0, 0));
}

#[test]
fn a_stream_that_is_not_opened_is_broken() {
    let keep_alives = Arc::new(KeepAlives::default());
    let observe = |response| Arc::clone(&keep_alives).observe::<Body, _>(response);
    let mut refused = Response::new(Body::empty());
    *refused.headers_mut() = status("16");
    assert!(observe(Ok(refused)).is_ok());
    let mut proxied = Response::new(Body::empty());
    *proxied.status_mut() = http::StatusCode::BAD_GATEWAY;
    assert!(observe(Ok(proxied)).is_ok());
    assert!(observe(Err("connection refused")).is_err());
    assert_eq!(keep_alives.failures(), failures(0, 3));
    let opened = Response::new(Body::new(Full::default()));
    assert!(observe(Ok(opened)).is_ok());
    assert_eq!(keep_alives.failures(), failures(0, 3));
}
