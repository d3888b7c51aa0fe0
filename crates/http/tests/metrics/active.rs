//! However a request ends, it is active no longer.

use crate::{Measured, get, soon, unsampled};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::future::{pending, ready};
use std::io::{Error, ErrorKind};
use std::panic::AssertUnwindSafe;
use tower::{Layer, ServiceExt, service_fn};

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Success,
    Status,
    Error,
    Panic,
    PanicInCall,
    BodyError,
    BodyPanic,
    CancelBeforeHead,
    CancelMidStream,
    CancelUnread,
}

impl End {
    const ALL: [Self; 10] = [
        Self::Success,
        Self::Status,
        Self::Error,
        Self::Panic,
        Self::PanicInCall,
        Self::BodyError,
        Self::BodyPanic,
        Self::CancelBeforeHead,
        Self::CancelMidStream,
        Self::CancelUnread,
    ];

    /// Ending and `error.type`.
    fn expected(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Success => (None, None),
            Self::Status => (Some("failed"), Some("500")),
            Self::Error => (Some("failed"), Some("broken_pipe")),
            Self::BodyError => (Some("failed"), Some("unexpected_end_of_file")),
            Self::Panic | Self::PanicInCall | Self::BodyPanic => (Some("failed"), Some("panic")),
            Self::CancelBeforeHead | Self::CancelMidStream | Self::CancelUnread => {
                (Some("cancelled"), None)
            }
        }
    }

    async fn respond(self) -> Result<Response<Body>, Error> {
        match self {
            Self::Error => return Err(ErrorKind::BrokenPipe.into()),
            Self::Panic => panic!("of the handler"),
            Self::CancelBeforeHead => pending().await,
            _ => {}
        }
        let frames = futures_util::stream::unfold(0, move |n| async move {
            let frame = match (self, n) {
                (Self::BodyError, 1) => Err(Error::from(ErrorKind::UnexpectedEof)),
                (Self::BodyPanic, 1) => panic!("of the body"),
                (_, 2) => return None,
                _ => Ok(Frame::data(Bytes::from_static(b"chunk"))),
            };
            Some((frame, n + 1))
        });
        let status = if self == Self::Status { 500 } else { 200 };
        let response = Response::builder().status(status);
        Ok(response.body(Body::new(StreamBody::new(frames))).unwrap())
    }
}

const ATTRIBUTES: &str = "http.request.method = \"GET\"\nurl.scheme = \"http\"\n";

fn active(measured: &Measured) -> i64 {
    let active = measured.active();
    let [(attributes, count)] = active.as_slice() else {
        panic!("not of one kind: {active:?}")
    };
    assert_eq!(attributes, ATTRIBUTES);
    *count
}

/// Runs a request to its end, and tells how many were active meanwhile.
async fn run(end: End, request: Request<Body>, sdk: bool, measured: &Measured) -> i64 {
    let service = service_fn(move |_: Request<Body>| {
        let in_call = end == End::PanicInCall;
        assert!(!in_call, "a panic in `call`");
        end.respond()
    });
    // Not a route, so that a panic in `call` is one in the service's own.
    let service = measured.axum(sdk).layer(service);
    let mut call = Box::pin(service.oneshot(request));
    if end == End::CancelBeforeHead {
        assert!(futures_util::poll!(&mut call).is_pending());
        return active(measured);
    }
    let Ok(response) = soon(call).await else {
        return 1;
    };
    let meanwhile = active(measured);
    let mut body = response.into_body();
    match end {
        End::CancelUnread => {}
        End::CancelMidStream => drop(soon(body.frame()).await.unwrap().unwrap()),
        _ => while let Some(Ok(_)) = soon(body.frame()).await {},
    }
    meanwhile
}

/// A panic of the future is caught, as a server does.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    futures_util::FutureExt::catch_unwind(AssertUnwindSafe(future))
        .await
        .ok()
}

#[tokio::test]
async fn it_goes_back_to_zero() {
    for end in End::ALL {
        for (sdk, is_sampled) in [(true, true), (true, false), (false, true), (false, false)] {
            let measured = Measured::new();
            let request = match is_sampled {
                true => get("/"),
                false => unsampled(get("/")),
            };
            let meanwhile = caught(run(end, request, sdk, &measured)).await;
            assert_eq!(meanwhile.unwrap_or(1), 1, "{end:?}");
            assert_eq!(
                active(&measured),
                0,
                "{end:?}, SDK {sdk}, sampled {is_sampled}"
            );
            let only = measured.only().attributes;
            let of = |key: &str| {
                let line = only.lines().find_map(|line| line.strip_prefix(key));
                line.map(|value| value.trim_matches('"').to_owned())
            };
            let (ending, error_type) = end.expected();
            assert_eq!(of("dynamo_trace.ending = ").as_deref(), ending, "{end:?}");
            assert_eq!(of("error.type = ").as_deref(), error_type, "{end:?}");
            let spans = usize::from(sdk && is_sampled);
            assert_eq!(measured.log.count(), spans, "{end:?}");
        }
    }
}

#[tokio::test]
async fn many_are_counted_at_once() {
    let measured = Measured::new();
    let hangs = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Error>>());
    let service = measured.server().layer(hangs);
    let mut calls: Vec<_> = (0..5)
        .map(|_| Box::pin(service.clone().oneshot(get("/"))))
        .collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    for left in (0..=5).rev() {
        assert_eq!(active(&measured), left);
        calls.pop();
    }
    let answered =
        service_fn(|_: Request<Body>| ready(Ok::<_, Error>(Response::<Body>::default())));
    soon(measured.server().layer(answered).oneshot(get("/")))
        .await
        .unwrap();
    assert_eq!(active(&measured), 0);
}
