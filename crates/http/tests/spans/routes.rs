//! Names and attributes of a server's span.

use crate::telemetry::{attribute, text};
use crate::{Protocol, Server, Telemetry};
use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{Method, Request};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt};

fn router() -> Router {
    let models = Router::new()
        .route("/{model}", get(async || "one"))
        .route("/", get(async || "all"));
    let v1 = Router::new()
        .nest("/models", models)
        .route("/files/{*path}", get(async || "file"));
    Router::new()
        .nest("/v1", v1)
        .route("/any", any(async || "any"))
        .nest_service("/static", any(async || "a service"))
        .fallback(async || "nowhere")
}

/// The span of one request to an axum router with the layer in it.
async fn record(method: &str, uri: &str) -> SpanData {
    let telemetry = Telemetry::new();
    let app = router().layer(telemetry.axum());
    let server = Server::start(app).await;
    let method = method.parse().unwrap();
    send(&server, method, uri).await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.span_kind, SpanKind::Server);
    span
}

async fn send(server: &Server, method: Method, path: &str) {
    Protocol::Http2.send(server, method, path).await;
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn the_name_is_that_of_the_route() {
    for (path, route) in [
        ("/any", "/any"),
        ("/v1/models/llama", "/v1/models/{model}"),
        ("/v1/models", "/v1/models"),
        ("/v1/files/a/b", "/v1/files/{*path}"),
    ] {
        let span = record("GET", path).await;
        assert_eq!(span.name, format!("GET {route}"), "{path}");
        assert_eq!(text(&span, "http.route").as_deref(), Some(route));
        assert_eq!(text(&span, "url.path").as_deref(), Some(path));
    }
}

#[tokio::test]
async fn without_a_route_the_name_is_the_method() {
    for path in ["/nowhere/4711", "/static/style.css"] {
        let span = record("GET", path).await;
        assert_eq!(span.name, "GET", "{path}");
        assert_eq!(attribute(&span, "http.route"), None);
        assert_eq!(text(&span, "url.path").as_deref(), Some(path));
    }
}

#[tokio::test]
async fn a_layer_around_the_router_sees_no_route() {
    let telemetry = Telemetry::new();
    let app = telemetry.server().layer(router());
    let server = Server::start(app).await;
    send(&server, Method::GET, "/any").await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "GET");
    assert_eq!(attribute(&span, "http.route"), None);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_layer_in_a_nested_router_sees_the_whole_route() {
    let telemetry = Telemetry::new();
    let nested = Router::new()
        .route("/{model}", get(async || "one"))
        .layer(telemetry.axum());
    let app = Router::new().nest("/v1", Router::new().nest("/models", nested));
    let server = Server::start(app).await;
    send(&server, Method::GET, "/v1/models/llama").await;
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "GET /v1/models/{model}");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn an_unknown_method_is_other() {
    let span = record("PURGE", "/any").await;
    assert_eq!(span.name, "HTTP /any");
    assert_eq!(
        text(&span, "http.request.method").as_deref(),
        Some("_OTHER")
    );
    let original = text(&span, "http.request.method_original");
    assert_eq!(original.as_deref(), Some("PURGE"));
    let span = record("PURGE", "/nowhere").await;
    assert_eq!(span.name, "HTTP");
}

#[tokio::test]
async fn secrets_do_not_stand_on_the_span() {
    let telemetry = Telemetry::new();
    let app = router().layer(telemetry.axum());
    let request = Request::get("/any?Signature=secret&a=b")
        .header("authorization", "Bearer secret")
        .header("cookie", "session=secret")
        .header("x-forwarded-for", "secret")
        .body(Body::empty());
    app.oneshot(request.unwrap()).await.unwrap();
    let [span] = telemetry.all_ended(1).await.try_into().unwrap();
    let query = text(&span, "url.query");
    assert_eq!(query.as_deref(), Some("Signature=REDACTED&a=b"));
    assert!(!format!("{span:?}").contains("secret"), "{span:#?}");
}

#[tokio::test]
async fn the_host_names_the_server() {
    for (host, address, port) in [
        ("example.com", Some("example.com"), None),
        ("example.com:80", Some("example.com"), None),
        ("example.com:8080", Some("example.com"), Some(8080)),
        ("[::1]:8080", Some("::1"), Some(8080)),
        ("[::1]", Some("::1"), None),
        ("not a host", None, None),
    ] {
        let telemetry = Telemetry::new();
        let server = Server::start(router().layer(telemetry.axum())).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = format!("GET /any HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let [span] = telemetry.ended().await;
        assert_eq!(text(&span, "server.address").as_deref(), address, "{host}");
        let recorded = attribute(&span, "server.port");
        assert_eq!(recorded, port.map(|port: i64| port.into()), "{host}");
        assert_eq!(text(&span, "url.scheme").as_deref(), Some("http"));
    }
}
