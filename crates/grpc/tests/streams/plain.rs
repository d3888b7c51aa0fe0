//! What holds no messages, or cannot be looked into, is not counted.

use crate::{chunks, counts, grpc, message};
use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{Grpc, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

/// The span of a server that answers this request so.
async fn served<B: http_body::Body + Send + 'static>(
    request: Request<B>,
    response: Response<Body>,
) -> SpanData {
    let log = SpanLog::default();
    let layer = ServerLayer::with_semantics(Grpc::new().with_message_counts())
        .with_tracer_provider(&log.provider())
        .with_propagation(Propagation::w3c());
    let response = std::sync::Mutex::new(Some(response));
    let answer = service_fn(move |request: Request<B>| {
        let response = response.lock().unwrap().take().unwrap();
        async move {
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(response)
        }
    });
    let response = layer.layer(answer).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let [span] = log.ended().await;
    span
}

fn replies() -> Response<Body> {
    let replies = chunks([message(1), message(1)]).chain(crate::ok());
    grpc(Body::new(StreamBody::new(replies)))
}

fn post(content_type: &str) -> http::request::Builder {
    Request::post("http://localhost/test.Streams/Plain").header("content-type", content_type)
}

#[tokio::test]
async fn requests_with_a_body_of_another_type_are_not_counted() {
    let body = Full::new(Bytes::from(message(1)));
    let span = served(post("application/grpc").body(body).unwrap(), replies()).await;
    assert_eq!(counts(&span), [None, Some(2)]);
}

#[tokio::test]
async fn plain_http_has_no_messages() {
    let text = || Body::new(Full::from("a text that is no message"));
    let request = post("text/plain").body(text()).unwrap();
    let span = served(request, Response::new(text())).await;
    assert_eq!(counts(&span), [None, None]);
}

#[tokio::test]
async fn an_answer_that_is_no_grpc_has_no_messages() {
    let request = Body::new(Full::new(Bytes::from(message(1))));
    let request = post("application/grpc").body(request).unwrap();
    let answer = Response::builder().header("content-type", "text/html");
    let answer = answer.body(Body::new(Full::from("<html>out of service</html>")));
    let span = served(request, answer.unwrap()).await;
    assert_eq!(counts(&span), [Some(1), None]);
}
