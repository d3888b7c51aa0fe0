//! `server.*`: of a client from what it was told or asks for, of a server from `:authority`.

use crate::bench::{client_layer, server_layer};
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{Grpc, ServerLayer};
use dynamo_trace_http::PeerAddr;
use dynamo_trace_testkit::span_log::{SpanLog, text};
use http::{Request, Response};
use opentelemetry::trace::SpanKind;
use std::convert::Infallible;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

/// `server.address` and `server.port` of a call of this URI, on a client that was told its
/// endpoint or on a server.
async fn recorded(
    kind: SpanKind,
    endpoint: Option<&'static str>,
    uri: &str,
) -> [Option<String>; 2] {
    let log = SpanLog::default();
    let provider = log.provider();
    let answer = service_fn(async |_: Request<Body>| {
        let response = Response::builder()
            .header("grpc-status", "0")
            .body(Body::empty());
        Ok::<_, Infallible>(response.unwrap())
    });
    let semantics = match endpoint {
        Some(endpoint) => Grpc::new().with_server(&endpoint.parse().unwrap()),
        None => Grpc::new(),
    };
    let request = Request::post(uri).body(Body::empty()).unwrap();
    let server = ServerLayer::with_semantics(semantics.clone())
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());
    let response = match kind {
        SpanKind::Server => server.layer(answer).oneshot(request).await.map(drop),
        _ => client_layer(&provider, semantics)
            .layer(answer)
            .oneshot(request)
            .await
            .map(drop),
    };
    response.unwrap();
    let [span] = log.ended().await;
    ["server.address", "server.port"].map(|key| text(&span, key))
}

fn of(address: &str, port: &str) -> [Option<String>; 2] {
    [address, port].map(|text| (!text.is_empty()).then(|| text.to_owned()))
}

#[tokio::test]
async fn a_client_names_its_endpoint() {
    for (endpoint, expected) in [
        ("http://127.0.0.1:50051", of("127.0.0.1", "50051")),
        ("http://[::1]:50051", of("::1", "50051")),
        ("https://api.example.com", of("api.example.com", "443")),
        ("http://api.example.com", of("api.example.com", "80")),
        // A channel of several, or over a socket of another kind.
        ("/run/socket", of("", "")),
    ] {
        let told = recorded(SpanKind::Client, Some(endpoint), "/test.Golden/Server").await;
        assert_eq!(told, expected, "{endpoint}");
    }
}

#[tokio::test]
async fn a_client_names_what_it_asks_for_before_what_it_was_told() {
    let uri = "http://backend:8080/test.Golden/Server";
    for endpoint in [None, Some("http://127.0.0.1:50051")] {
        let asked = recorded(SpanKind::Client, endpoint, uri).await;
        assert_eq!(asked, of("backend", "8080"));
    }
    let nothing = recorded(SpanKind::Client, None, "/test.Golden/Server").await;
    assert_eq!(nothing, of("", ""));
}

#[tokio::test]
async fn a_server_names_the_authority() {
    for (authority, expected) in [
        ("localhost:50051", of("localhost", "50051")),
        ("[::1]:50051", of("::1", "50051")),
        ("[2001:db8::1]", of("2001:db8::1", "")),
        ("api.example.com", of("api.example.com", "")),
    ] {
        let uri = format!("http://{authority}/test.Golden/Server");
        let asked = recorded(SpanKind::Server, None, &uri).await;
        assert_eq!(asked, expected, "{authority}");
    }
}

#[tokio::test]
async fn a_server_was_told_nothing() {
    let told = recorded(
        SpanKind::Server,
        Some("http://told:1"),
        "/test.Golden/Server",
    )
    .await;
    assert_eq!(told, of("", ""));
}

#[tokio::test]
async fn a_peer_of_version_4_has_an_address_of_version_4() {
    let log = SpanLog::default();
    let answer =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let peer = "[::ffff:10.0.0.7]:4711".parse().unwrap();
    let request = Request::post("/test.Golden/Peer")
        .extension(PeerAddr(peer))
        .body(Body::empty());
    let service = server_layer(&log.provider()).layer(answer);
    service.oneshot(request.unwrap()).await.unwrap();
    let [span] = log.ended().await;
    let address = text(&span, "network.peer.address");
    assert_eq!(address.as_deref(), Some("10.0.0.7"));
}
