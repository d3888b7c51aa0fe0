//! Every way to end, over sockets, while somebody else still holds the context.

use crate::telemetry::{attribute, ending};
use crate::{BoxError, Protocol, Server, Telemetry, VERSIONS, data, frames, soon};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyStream, Full, StreamBody};
use hyper::body::Incoming;
use opentelemetry::Context;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Streamed,
    Slow,
    Buffered,
    Empty,
    Trailers,
    Failed,
    FailedAndRead,
    HandlerError,
    HandlerPanic,
    BodyError,
    BodyPanic,
    Head,
    NoContent,
    GoneBeforeHead,
    GoneBetweenChunks,
    GoneAfterLastChunk,
}

impl End {
    /// The ending, and the status code.
    const ALL: [(Self, &'static str, Option<i64>); 16] = [
        (Self::Streamed, "complete", Some(200)),
        (Self::Slow, "complete", Some(200)),
        (Self::Buffered, "complete", Some(200)),
        (Self::Empty, "complete", Some(200)),
        (Self::Trailers, "complete", Some(200)),
        (Self::Failed, "failed:503", Some(503)),
        (Self::FailedAndRead, "failed:503", Some(503)),
        (Self::HandlerError, "failed:_OTHER", None),
        (Self::HandlerPanic, "failed:panic", None),
        (Self::BodyError, "failed:connection_reset", Some(200)),
        (Self::BodyPanic, "failed:panic", Some(200)),
        (Self::Head, "complete", Some(200)),
        (Self::NoContent, "complete", Some(204)),
        (Self::GoneBeforeHead, "cancelled", None),
        (Self::GoneBetweenChunks, "cancelled", Some(200)),
        (Self::GoneAfterLastChunk, "complete", Some(200)),
    ];

    fn body(self) -> Body {
        let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        match self {
            Self::Buffered => Body::from("a body"),
            Self::Empty => Body::empty(),
            Self::BodyError => frames([data("one"), Err(reset().into())]),
            Self::Trailers => frames([data("one"), Ok(Frame::trailers(http::HeaderMap::new()))]),
            _ => Body::new(StreamBody::new(stream::unfold(0, move |n| async move {
                match (self, n) {
                    (Self::GoneBetweenChunks | Self::GoneAfterLastChunk | Self::Failed, 2..) => {
                        pending().await
                    }
                    (Self::BodyPanic, 1) => panic!("of the body"),
                    (_, 3..) => return None,
                    // What the duration is measured by, no synchronisation.
                    (Self::Slow, _) => tokio::time::sleep(GAP).await,
                    _ => tokio::task::yield_now().await,
                }
                let frame = Frame::data(Bytes::from_static(b"chunk"));
                Some((Ok::<_, BoxError>(frame), n + 1))
            }))),
        }
    }

    async fn respond(self, started: Arc<Notify>) -> Result<Response<Body>, BoxError> {
        started.notify_one();
        match self {
            Self::HandlerError => return Err("of the handler".into()),
            Self::HandlerPanic => panic!("of the handler"),
            Self::GoneBeforeHead => pending().await,
            _ => {}
        }
        let mut response = Response::new(self.body());
        *response.status_mut() = match self {
            Self::Failed | Self::FailedAndRead => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoContent => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        if self == Self::GoneAfterLastChunk {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, 10.into());
        }
        Ok(response)
    }

    /// What the client does, which takes the response or goes away.
    async fn ask(self, protocol: Protocol, server: &Server, started: &Notify) {
        let method = match self {
            Self::Head => Method::HEAD,
            _ => Method::GET,
        };
        let request = Request::builder().method(method);
        let request = request.uri(format!("http://{}/", server.addr));
        let client = protocol.client();
        let asking = client.request(request.body(Full::default()).unwrap());
        if self == Self::GoneBeforeHead {
            tokio::select! {
                _ = asking => panic!("no response was given"),
                () = soon(started.notified()) => return,
            }
        }
        let Ok(response) = soon(asking).await else {
            return;
        };
        let chunks = match self {
            Self::Failed => 0,
            Self::GoneBetweenChunks => 1,
            Self::GoneAfterLastChunk => 2,
            _ => usize::MAX,
        };
        let mut body = BodyStream::new(response.into_body());
        let mut read = 0;
        // A body that fails, or has no place, is none of the client's doing.
        while read < chunks.saturating_mul("chunk".len())
            && let Some(Ok(frame)) = soon(futures_util::StreamExt::next(&mut body)).await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    }
}

const GAP: Duration = Duration::from_millis(50);

type Boxed = BoxCloneSyncService<Request<Incoming>, Response<Body>, BoxError>;
/// What a task would still hold.
type Held = Arc<Mutex<Vec<Context>>>;

/// A service that ends so, in the layer for axum or in that for any service.
fn service(
    end: End,
    for_axum: bool,
    telemetry: &Telemetry,
    started: &Arc<Notify>,
    held: &Held,
) -> Boxed {
    let (started, held) = (started.clone(), held.clone());
    let service = service_fn(move |_: Request<Incoming>| {
        held.lock().unwrap().push(Context::current());
        end.respond(started.clone())
    });
    if for_axum {
        return BoxCloneSyncService::new(telemetry.axum().layer(service));
    }
    let service = telemetry.server().layer(service);
    BoxCloneSyncService::new(service.map_response(|response| response.map(Body::new)))
}

#[tokio::test]
async fn each_ends_the_span_once() {
    for (end, expected, status) in End::ALL {
        for (protocol, for_axum) in VERSIONS.into_iter().flat_map(|p| [(p, true), (p, false)]) {
            let (telemetry, held) = (Telemetry::new(), Held::default());
            let started = Arc::new(Notify::new());
            let service = service(end, for_axum, &telemetry, &started, &held);
            let server = Server::start(service).await;
            end.ask(protocol, &server, &started).await;
            let [span] = telemetry.ended().await;
            let which = format!("{end:?}, {protocol:?}, for axum: {for_axum}");
            assert_eq!(ending(&span), expected, "{which}");
            let code = attribute(&span, "http.response.status_code");
            assert_eq!(code, status.map(Into::into), "{which}");
            let lasted = span.end_time.duration_since(span.start_time).unwrap();
            assert!(end != End::Slow || lasted >= 3 * GAP, "{which}: {lasted:?}");
            assert_eq!(held.lock().unwrap().len(), 1, "{which}");
            // Nothing ends it once more.
            drop(server);
            held.lock().unwrap().clear();
            telemetry.ended::<1>().await;
        }
    }
}
