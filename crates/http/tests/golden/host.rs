//! `server.address` and `server.port`, of both sides.

use crate::shown::of;
use crate::{call, get, serve, status};
use axum::body::Body;
use http::Request;

/// The lines of an address and a port.
fn server(address: Option<&str>, port: Option<u16>) -> String {
    let address = address.map(|address| format!("server.address = {address:?}\n"));
    let port = port.map(|port| format!("server.port = {port}\n"));
    address.into_iter().chain(port).collect()
}

fn request(uri: &str, host: Option<&str>) -> Request<Body> {
    let mut request = get(uri);
    if let Some(host) = host {
        let host = host.parse().unwrap();
        request.headers_mut().insert("host", host);
    }
    request
}

#[tokio::test]
async fn a_server_is_what_its_caller_calls_it() {
    for (uri, host, address, port) in [
        ("/", None, None, None),
        ("/", Some("example.com"), Some("example.com"), None),
        (
            "/",
            Some("example.com:8080"),
            Some("example.com"),
            Some(8080),
        ),
        // The port that the scheme means is not worth a word.
        ("/", Some("example.com:80"), Some("example.com"), None),
        ("/", Some("example.com:443"), Some("example.com"), Some(443)),
        ("/", Some("[::1]"), Some("::1"), None),
        (
            "/",
            Some("[2001:db8::1]:8443"),
            Some("2001:db8::1"),
            Some(8443),
        ),
        (
            "/",
            Some("[fe80::1%25eth0]:80"),
            Some("fe80::1%25eth0"),
            None,
        ),
        (
            "/",
            Some("me:pass@example.com:81"),
            Some("example.com"),
            Some(81),
        ),
        ("/", Some("example.com:"), Some("example.com"), None),
        ("/", Some("example.com:+81"), Some("example.com"), None),
        ("/", Some("example.com:99999"), Some("example.com"), None),
        ("/", Some(""), None, None),
        ("/", Some(":80"), None, None),
        ("/", Some("[::1"), None, None),
        ("/", Some("2001:db8::1"), None, None),
        ("/", Some("2001:db8::1:80"), None, None),
        ("/", Some("no host"), None, None),
        // `:authority`, or the whole URL in HTTP/1.1, goes before `Host`.
        (
            "http://first.com/",
            Some("second.com"),
            Some("first.com"),
            None,
        ),
        ("https://first.com:443/", None, Some("first.com"), None),
        ("https://first.com:80/", None, Some("first.com"), Some(80)),
        ("https://[::1]:444/", None, Some("::1"), Some(444)),
        ("http://me:pass@first.com/", None, Some("first.com"), None),
    ] {
        let span = serve(|layer| layer, request(uri, host), status(200)).await;
        assert_eq!(
            of(&span, "server."),
            server(address, port),
            "{uri}, {host:?}"
        );
    }
}

#[tokio::test]
async fn a_client_names_the_port_as_well() {
    for (uri, host, address, port) in [
        ("http://example.com/", None, Some("example.com"), Some(80)),
        ("https://example.com/", None, Some("example.com"), Some(443)),
        (
            "https://example.com:8443/",
            Some("other"),
            Some("example.com"),
            Some(8443),
        ),
        ("http://[::1]/", None, Some("::1"), Some(80)),
        (
            "http://me:pass@example.com:81/",
            None,
            Some("example.com"),
            Some(81),
        ),
        ("/", None, None, None),
        ("/", Some("example.com"), Some("example.com"), None),
        ("/", Some("[::1]:81"), Some("::1"), Some(81)),
        ("/", Some("no host"), None, None),
    ] {
        let span = call(|layer| layer, request(uri, host), status(200)).await;
        assert_eq!(
            of(&span, "server."),
            server(address, port),
            "{uri}, {host:?}"
        );
    }
}

#[tokio::test]
async fn an_ipv6_host_over_a_socket() {
    use crate::{Telemetry, hyper, serve::Server, soon};
    use tower::{Layer, service_fn};
    for http2 in [false, true] {
        let telemetry = Telemetry::new();
        let answer = service_fn(async |_| Ok::<_, std::convert::Infallible>(status(200)));
        let server = Server::start(telemetry.server().layer(answer)).await;
        let mut request = http::Request::new(http_body_util::Full::default());
        *request.uri_mut() = format!("http://{}/", server.addr).parse().unwrap();
        // HTTP/2 sends the target's as `:authority`.
        let host = "[2001:db8::7]:8080".parse().unwrap();
        request.headers_mut().insert("host", host);
        soon(hyper(http2).request(request)).await.unwrap();
        let [span] = telemetry.ended().await;
        let expected = match http2 {
            true => self::server(Some("127.0.0.1"), Some(server.addr.port())),
            false => self::server(Some("2001:db8::7"), Some(8080)),
        };
        assert_eq!(of(&span, "server."), expected);
    }
}
