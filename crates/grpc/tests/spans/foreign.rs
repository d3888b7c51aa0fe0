//! Answers that no gRPC server should give, but proxies do.

use crate::echo::listen;
use crate::telemetry::{Telemetry, ending, text};
use crate::{Kind, name, request};
use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::BodyExt;
use std::convert::Infallible;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Endpoint, Server};
use tower::{Layer, ServiceExt, service_fn};

/// Calls what answers with this status and body, and gives the endings and codes of both sides.
async fn record(status: StatusCode, body: &'static str) -> [(String, Option<String>); 2] {
    let telemetry = Telemetry::new();
    let answer = service_fn(move |_: http::Request<Body>| {
        let response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, "application/grpc");
        let body = Body::new(http_body_util::Full::from(body));
        std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
    });
    let (addr, incoming) = listen().await;
    let server = Server::builder().serve_with_incoming(telemetry.server().layer(answer), incoming);
    let serving = tokio::spawn(server);
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = telemetry.client().layer(endpoint.connect_lazy());
    let mut client = tonic::client::Grpc::new(channel);
    let reply = Kind::Unary.call(&mut client, request("send")).await;
    let told = name(reply.unwrap_err().code());
    let mut spans = telemetry.ended::<2>().await;
    serving.abort();
    spans.sort_by_key(|span| span.span_kind != opentelemetry::trace::SpanKind::Client);
    let spans = spans.map(|span| (ending(&span), text(&span, "rpc.response.status_code")));
    // tonic takes any body for messages, and tells of that instead.
    if body.is_empty() {
        assert_eq!(spans[0].1, told, "as the caller sees it");
    }
    spans
}

#[tokio::test]
async fn an_http_status_stands_for_a_code() {
    for (status, code) in [
        (StatusCode::BAD_REQUEST, Code::Internal),
        (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        (StatusCode::IM_A_TEAPOT, Code::Unknown),
    ] {
        for body in ["", "<html>out of service</html>"] {
            for (ending, recorded) in record(status, body).await {
                assert_eq!(recorded, name(code));
                assert_eq!(ending, format!("failed:{}", name(code).unwrap()));
            }
        }
    }
    let [client, server] = record(StatusCode::UNAUTHORIZED, "").await;
    assert_eq!(client.0, "failed:UNAUTHENTICATED");
    assert_eq!(server.0, "complete");
}

#[tokio::test]
async fn no_status_at_all_is_unknown() {
    for (ending, recorded) in record(StatusCode::OK, "").await {
        assert_eq!(ending, "failed:UNKNOWN");
        assert_eq!(recorded, name(Code::Unknown));
    }
}

#[tokio::test]
async fn plain_http_has_no_code() {
    for (status, expected, span_name) in [
        (StatusCode::OK, "complete", "health"),
        (StatusCode::BAD_REQUEST, "complete", "health"),
        (StatusCode::NOT_FOUND, "complete", "_OTHER"),
        (StatusCode::SERVICE_UNAVAILABLE, "failed:503", "health"),
    ] {
        let telemetry = Telemetry::new();
        let answer = service_fn(move |_: http::Request<()>| {
            let mut response = Response::new(http_body_util::Full::<Bytes>::from("text"));
            *response.status_mut() = status;
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let request = http::Request::get("http://localhost/health").body(());
        let response = telemetry.server().layer(answer).oneshot(request.unwrap());
        response.await.unwrap().collect().await.unwrap();
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected, "{status}");
        assert_eq!(span.name, span_name, "{status}");
        assert_eq!(text(&span, "rpc.response.status_code"), None, "{status}");
    }
}
