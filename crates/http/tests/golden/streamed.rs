//! Clients whose spans last as long as the response body.

use crate::serve::Server;
use crate::telemetry::{attribute, ending};
use crate::{Telemetry, get, hyper, soon};
use axum::body::Body;
use axum::routing::get as route;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// A call that is under way: the response is in, and this sends its body.
async fn under_way(
    telemetry: &Telemetry,
    status: u16,
) -> (
    Sender<Bytes, io::Error>,
    Response<impl http_body::Body<Data = Bytes, Error = io::Error> + Unpin + use<>>,
) {
    let (sender, body) = Channel::<Bytes, io::Error>::new(4);
    let mut body = Some(body);
    let answer = service_fn(move |_: Request<Body>| {
        let response = Response::builder().status(status);
        let response = response.body(body.take().unwrap()).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let client = telemetry.client().with_body().layer(answer);
    let response = soon(client.oneshot(get("http://example.com/")))
        .await
        .unwrap();
    assert_eq!(telemetry.count(), 0, "ended with the head");
    (sender, response)
}

#[tokio::test]
async fn the_end_of_the_body_ends_the_span() {
    for (status, expected) in [(200, "complete"), (404, "failed:404"), (502, "failed:502")] {
        let telemetry = Telemetry::new();
        let (mut sender, mut response) = under_way(&telemetry, status).await;
        for chunk in ["one", "two"] {
            sender.send_data(chunk.into()).await.unwrap();
            soon(response.frame()).await.unwrap().unwrap();
        }
        assert_eq!(telemetry.count(), 0, "ended before the body");
        drop(sender);
        assert!(soon(response.frame()).await.is_none());
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected);
        assert_eq!(
            attribute(&span, "dynamo_trace.stream.chunks"),
            Some(2.into())
        );
        assert_eq!(
            attribute(&span, "dynamo_trace.stream.bytes"),
            Some(6.into())
        );
    }
}

#[tokio::test]
async fn trailers_end_the_span() {
    let telemetry = Telemetry::new();
    let (mut sender, mut response) = under_way(&telemetry, 200).await;
    sender.send_trailers(http::HeaderMap::new()).await.unwrap();
    soon(response.frame()).await.unwrap().unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
}

#[tokio::test]
async fn an_error_of_the_body_fails_the_span() {
    let telemetry = Telemetry::new();
    let (sender, mut response) = under_way(&telemetry, 200).await;
    sender.abort(io::ErrorKind::ConnectionReset.into());
    soon(response.frame()).await.unwrap().unwrap_err();
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:connection_reset");
    let status = attribute(&span, "http.response.status_code");
    assert_eq!(status, Some(200.into()));
}

#[tokio::test]
async fn a_drop_of_the_body_cancels_the_span() {
    for (status, expected) in [(200, "cancelled"), (404, "failed:404")] {
        let telemetry = Telemetry::new();
        let (mut sender, mut response) = under_way(&telemetry, status).await;
        sender.send_data("one".into()).await.unwrap();
        soon(response.frame()).await.unwrap().unwrap();
        drop(response);
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), expected);
    }
}

#[tokio::test]
async fn a_response_without_a_body_ends_the_span_with_its_head() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)] {
        let telemetry = Telemetry::new();
        let (_sender, body) = Channel::<Bytes>::new(1);
        let mut response = crate::status(status);
        *response.body_mut() = Body::new(body);
        let client = telemetry.client().with_body();
        let client = client.layer(crate::answer(response));
        let mut request = get("http://example.com/");
        *request.method_mut() = method.parse().unwrap();
        let response = soon(client.oneshot(request)).await.unwrap();
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "complete", "{method}, {status}");
        drop(response);
    }
}

#[tokio::test]
async fn a_stream_of_150_ms_lasts_that_long_on_both_sides() {
    const GAP: Duration = Duration::from_millis(50);
    for http2 in [false, true] {
        let telemetry = Telemetry::new();
        let tokens = async || {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                for _ in 0..3 {
                    // What the stream is measured by, no synchronisation.
                    tokio::time::sleep(GAP).await;
                    sender.send_data("token".into()).await.unwrap();
                }
            });
            Body::new(body)
        };
        let app = axum::Router::new().route("/", route(tokens));
        let server = Server::start(app.layer(telemetry.axum())).await;
        let client = telemetry.client().with_body().layer(hyper(http2));
        let request = Request::get(format!("http://{}/", server.addr));
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let response = soon(client.oneshot(request)).await.unwrap();
        soon(response.collect()).await.unwrap();
        for span in telemetry.ended::<2>().await {
            assert_eq!(ending(&span), "complete");
            let lasted = span.end_time.duration_since(span.start_time).unwrap();
            assert!(lasted >= 3 * GAP, "{:?}: {lasted:?}", span.span_kind);
            assert_eq!(
                attribute(&span, "dynamo_trace.stream.chunks"),
                Some(3.into())
            );
        }
    }
}
