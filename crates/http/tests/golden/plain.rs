//! Every attribute of plain requests, over HTTP/1.1 and HTTP/2: nothing else stands on a span.

use crate::serve::Server;
use crate::shown::shown;
use crate::telemetry::assert_child;
use crate::{Telemetry, get, hyper, serve, soon};
use axum::Router;
use axum::routing::{get as route, post};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use tower::{Layer, ServiceExt};

/// The spans of one request, client's and server's, and the address of the server.
async fn exchange(http2: bool, request: http::request::Builder) -> (SpanData, SpanData, Server) {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route("/models/{model}", route(async || "ready"))
        .route("/models", post(async |body: Bytes| body))
        .layer(telemetry.axum());
    let server = Server::start(app).await;
    let mut request: Request<Full<Bytes>> = request.body("a body".into()).unwrap();
    let uri = format!("http://{}{}", server.addr, request.uri());
    *request.uri_mut() = uri.parse().unwrap();
    let caller = telemetry.caller();
    let client = telemetry.client().layer(hyper(http2));
    let called = client.oneshot(request).with_context(caller.clone());
    soon(soon(called).await.unwrap().collect()).await.unwrap();
    caller.span().end();
    let spans = telemetry.all_ended(3).await;
    let of = |kind| spans.iter().find(|span| span.span_kind == kind).unwrap();
    let (client, server_span) = (of(SpanKind::Client), of(SpanKind::Server));
    assert_child(client, caller.span().span_context());
    assert_child(server_span, &client.span_context);
    (client.clone(), server_span.clone(), server)
}

#[tokio::test]
async fn a_plain_get() {
    for (http2, version) in [(false, "1.1"), (true, "2")] {
        let request = Request::get("/models/llama?verbose=1").header("user-agent", "test/1.0");
        let (client, span, server) = exchange(http2, request).await;
        let port = server.addr.port();
        let expected = format!(
            r#"Server GET /models/{{model}}
http.request.method = "GET"
http.response.status_code = 200
http.route = "/models/{{model}}"
network.protocol.version = "{version}"
server.address = "127.0.0.1"
server.port = {port}
url.path = "/models/llama"
url.query = "verbose=1"
url.scheme = "http"
user_agent.original = "test/1.0"
"#
        );
        assert_eq!(shown(&span), expected);
        let expected = format!(
            r#"Client GET
http.request.method = "GET"
http.response.status_code = 200
network.protocol.version = "{version}"
server.address = "127.0.0.1"
server.port = {port}
url.full = "http://127.0.0.1:{port}/models/llama?verbose=1"
"#
        );
        assert_eq!(shown(&client), with_peer(&expected, port));
    }
}

/// hyper-util's connector tells the other end of the connection.
fn with_peer(expected: &str, port: u16) -> String {
    let peer = "network.peer.address = \"127.0.0.1\"\n";
    let peer = format!("{peer}network.peer.port = {port}\nnetwork.protocol");
    match cfg!(feature = "hyper-util") {
        true => expected.replacen("network.protocol", &peer, 1),
        false => expected.to_owned(),
    }
}

#[tokio::test]
async fn a_failed_post() {
    for (http2, version) in [(false, "1.1"), (true, "2")] {
        let (client, span, server) = exchange(http2, Request::post("/models/llama")).await;
        let port = server.addr.port();
        let expected = format!(
            r#"Server POST /models/{{model}}
http.request.method = "POST"
http.response.status_code = 405
http.route = "/models/{{model}}"
network.protocol.version = "{version}"
server.address = "127.0.0.1"
server.port = {port}
url.path = "/models/llama"
url.scheme = "http"
"#
        );
        assert_eq!(shown(&span), expected);
        let expected = format!(
            r#"Client POST error
dynamo_trace.ending = "failed"
error.type = "405"
http.request.method = "POST"
http.response.status_code = 405
network.protocol.version = "{version}"
server.address = "127.0.0.1"
server.port = {port}
url.full = "http://127.0.0.1:{port}/models/llama"
"#
        );
        assert_eq!(shown(&client), with_peer(&expected, port));
    }
}

#[tokio::test]
async fn an_echoed_post() {
    let request = Request::post("/models").header("host", "models.example");
    let (client, span, server) = exchange(false, request).await;
    let expected = r#"Server POST /models
http.request.method = "POST"
http.response.status_code = 200
http.route = "/models"
network.protocol.version = "1.1"
server.address = "models.example"
url.path = "/models"
url.scheme = "http"
"#;
    assert_eq!(shown(&span), expected);
    // What it was sent to, not what it was told to say.
    let address = crate::telemetry::text(&client, "server.address");
    assert_eq!(address, Some(server.addr.ip().to_string()));
}

#[tokio::test]
async fn the_least_that_there_can_be() {
    let span = serve(|layer| layer, get("/"), http::Response::default()).await;
    let expected = r#"Server GET
http.request.method = "GET"
http.response.status_code = 200
network.protocol.version = "1.1"
url.path = "/"
url.scheme = "http"
"#;
    assert_eq!(shown(&span), expected);
}
