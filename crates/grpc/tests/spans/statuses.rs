//! Where a status comes from: the head, the trailers, or a transport that fails.

use crate::telemetry::{Telemetry, ending, text};
use crate::{Bench, Kind, listen, name, request, soon};
use bytes::Bytes;
use futures_util::stream;
use h2::Reason;
use http::{HeaderMap, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::body::Body;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tower::Layer;

type Frames = Vec<Result<Frame<Bytes>, h2::Error>>;

/// An empty message.
fn message() -> Frame<Bytes> {
    Frame::data(Bytes::from_static(&[0; 5]))
}

fn respond(frames: Frames) -> Response<Body> {
    let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    response.body(body).unwrap()
}

fn in_head(code: Code) -> Response<Body> {
    Status::new(code, "as told").into_http()
}

fn in_trailers(code: Code) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", i32::from(code).into());
    respond(vec![Ok(message()), Ok(Frame::trailers(trailers))])
}

#[tokio::test]
async fn a_status_is_that_of_the_head_or_the_trailers_in_any_kind_of_call() {
    let places: [fn(Code) -> Response<Body>; 2] = [in_head, in_trailers];
    for (code, server_error) in [(Code::Internal, true), (Code::NotFound, false)] {
        for place in places {
            for kind in Kind::ALL {
                let answer = move |_, _| std::future::ready(place(code));
                let bench = Bench::answering(Server::builder(), answer).await;
                let reply = kind.call(&mut bench.client(), request("send")).await;
                assert_eq!(reply.unwrap_err().code(), code, "{kind:?}");
                let [client, server] = bench.ended().await;
                let failed = format!("failed:{}", name(code).unwrap());
                assert_eq!(ending(&client), failed, "{kind:?}");
                let expected = if server_error { &failed } else { "complete" };
                assert_eq!(ending(&server), expected, "{kind:?}");
                for span in [client, server] {
                    assert_eq!(text(&span, "rpc.response.status_code"), name(code));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_reset_is_the_code_that_the_caller_is_told() {
    for (reason, code) in [
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    ] {
        for kind in Kind::ALL {
            let answer = move |_, _| {
                let frames = vec![Ok(message()), Err(h2::Error::from(reason))];
                std::future::ready(respond(frames))
            };
            let bench = Bench::answering(Server::builder(), answer).await;
            let reply = kind.call(&mut bench.client(), request("send")).await;
            assert_eq!(reply.unwrap_err().code(), code, "{reason:?}, {kind:?}");
            for span in bench.ended().await {
                let recorded = text(&span, "rpc.response.status_code");
                assert_eq!(recorded, name(code), "{reason:?}, {kind:?}, {span:#?}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_to_any_kind_of_call() {
    let (addr, incoming) = listen().await;
    drop(incoming);
    for kind in Kind::ALL {
        let telemetry = Telemetry::new();
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let channel = telemetry.client().layer(endpoint.connect_lazy());
        let mut client = tonic::client::Grpc::new(channel);
        let reply = kind.call(&mut client, request("send")).await;
        assert_eq!(reply.unwrap_err().code(), Code::Unavailable);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "failed:connection_refused");
        let code = text(&span, "rpc.response.status_code");
        assert_eq!(code, name(Code::Unavailable));
    }
}

#[tokio::test]
async fn a_connection_that_closes_before_the_head_fails_the_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    for kind in Kind::ALL {
        let telemetry = Telemetry::new();
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let channel = telemetry.client().layer(endpoint.connect_lazy());
        let mut client = tonic::client::Grpc::new(channel);
        let reply = soon(kind.call(&mut client, request("send"))).await;
        let told = reply.unwrap_err().code();
        let [span] = telemetry.ended().await;
        assert!(ending(&span).starts_with("failed:"), "{span:#?}");
        let code = text(&span, "rpc.response.status_code");
        assert_eq!(code, name(told), "as the caller sees it, {kind:?}");
    }
    closing.abort();
}
