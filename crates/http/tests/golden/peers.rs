//! The other end of the connection.

use crate::shown::{of, shown};
use crate::telemetry::attribute;
use crate::{Telemetry, get, hyper, serve, soon, status};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get as route;
use dynamo_trace_http::PeerAddr;
use http_body_util::{BodyExt, Full};
use std::future::IntoFuture;
use std::net::SocketAddr;
use tokio::net::TcpListener;

#[tokio::test]
async fn axums_connect_info_over_a_socket() {
    for (http2, version) in [(false, "1.1"), (true, "2")] {
        let telemetry = Telemetry::new();
        let whoami = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.port().to_string();
        let app = Router::new()
            .route("/", route(whoami))
            .layer(telemetry.axum())
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(axum::serve(listener, app).into_future());
        let mut request = http::Request::new(Full::default());
        *request.uri_mut() = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let response = soon(hyper(http2).request(request)).await.unwrap();
        let body = soon(response.collect()).await.unwrap().to_bytes();
        let own = String::from_utf8(body.into()).unwrap();
        let [span] = telemetry.ended().await;
        serving.abort();
        let expected = format!(
            r#"Server GET /
client.address = "127.0.0.1"
http.request.method = "GET"
http.response.status_code = 200
http.route = "/"
network.peer.address = "127.0.0.1"
network.peer.port = {own}
network.protocol.version = "{version}"
server.address = "127.0.0.1"
server.port = {port}
url.path = "/"
url.scheme = "http"
"#
        );
        assert_eq!(shown(&span), expected);
    }
}

#[tokio::test]
async fn an_extension_tells_any_service() {
    for (addr, ip, port) in [
        ("192.0.2.1:4711", "192.0.2.1", 4711),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
        // A socket for both families has the old ones so.
        ("[::ffff:192.0.2.1]:1", "192.0.2.1", 1),
    ] {
        let mut request = get("/");
        request
            .extensions_mut()
            .insert(PeerAddr(addr.parse().unwrap()));
        let span = serve(|layer| layer, request, status(200)).await;
        assert_eq!(of(&span, "client."), format!("client.address = {ip:?}\n"));
        let peer = format!("network.peer.address = {ip:?}\nnetwork.peer.port = {port}\n");
        assert_eq!(of(&span, "network.peer"), peer);
    }
}

/// A socket of a client for both families has the old ones so as well.
#[cfg(feature = "hyper-util")]
#[tokio::test]
async fn a_client_tells_it_in_its_own_family() {
    use tower::{Layer, ServiceExt};
    let telemetry = Telemetry::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().route("/", route(async || ()));
    let serving = tokio::spawn(axum::serve(listener, app).into_future());
    let mut request = http::Request::new(Full::default());
    let uri = format!("http://[::ffff:127.0.0.1]:{port}/");
    *request.uri_mut() = uri.parse().unwrap();
    let client = telemetry.client().layer(hyper(false));
    soon(client.oneshot(request)).await.unwrap();
    let [span] = telemetry.ended().await;
    serving.abort();
    let peer = format!("network.peer.address = \"127.0.0.1\"\nnetwork.peer.port = {port}\n");
    assert_eq!(of(&span, "network.peer"), peer);
}

#[tokio::test]
async fn axums_own_is_for_axum_alone() {
    let mut request = get("/");
    let peer: SocketAddr = "192.0.2.1:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let span = serve(|layer| layer, request, status(200)).await;
    assert_eq!(attribute(&span, "client.address"), None);
}
