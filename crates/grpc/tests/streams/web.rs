//! gRPC-Web: the trailers are in the body, and the whole may be base64.

use crate::{chunks, counts, message};
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{Grpc, ServerLayer};
use dynamo_trace_testkit::span_log::{SpanLog, ending, text};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt, service_fn};

/// The span of a server that answers a message of this type so.
async fn served(
    content_type: &str,
    answer: impl Fn() -> Response<Body> + Clone + 'static,
) -> SpanData {
    let log = SpanLog::default();
    let layer = ServerLayer::with_semantics(Grpc::new().with_message_counts())
        .with_tracer_provider(&log.provider())
        .with_propagation(Propagation::w3c());
    let service = layer.layer(service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(answer())
        }
    }));
    let request = Request::post("http://localhost/test.Streams/Web")
        .header("content-type", content_type)
        .body(Body::new(StreamBody::new(chunks([message(1)]))));
    let response = service.oneshot(request.unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap();
    let [span] = log.ended().await;
    span
}

fn answer(content_type: &'static str) -> Response<Body> {
    let trailers = b"\x80\0\0\0\x0fgrpc-status:0\r\n".to_vec();
    let body = Body::new(StreamBody::new(chunks([message(1), message(1), trailers])));
    let response = Response::builder().header("content-type", content_type);
    response.body(body).unwrap()
}

#[tokio::test]
async fn a_stream_without_trailers_is_no_failure() {
    for content_type in ["application/grpc-web+proto", "application/grpc-web-text"] {
        let span = served(content_type, move || answer(content_type)).await;
        assert_eq!(ending(&span), "complete", "{content_type}");
        assert_eq!(text(&span, "rpc.response.status_code"), None);
        let method = text(&span, "rpc.method");
        assert_eq!(method.as_deref(), Some("test.Streams/Web"));
    }
}

#[tokio::test]
async fn a_status_in_the_head_is_one() {
    let refuse = || Status::new(Code::Internal, "as told").into_http();
    let span = served("application/grpc-web", refuse).await;
    assert_eq!(ending(&span), "failed:INTERNAL");
}

#[tokio::test]
async fn messages_are_counted_unless_they_are_base64() {
    const WEB: &str = "application/grpc-web";
    const TEXT: &str = "application/grpc-web-text+proto";
    let span = served(WEB, || answer(WEB)).await;
    assert_eq!(counts(&span), [Some(1), Some(2)]);
    let span = served(TEXT, || answer(TEXT)).await;
    assert_eq!(counts(&span), [None, None]);
    // Which of both the response is, `accept` says.
    let span = served(WEB, || answer(TEXT)).await;
    assert_eq!(counts(&span), [Some(1), None]);
}
