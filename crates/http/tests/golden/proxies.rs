//! What proxies say, believed as far as they are one's own.

use crate::shown::of;
use crate::{get, serve, status};
use axum::body::Body;
use dynamo_trace_http::PeerAddr;
use http::{HeaderName, Request};

/// `client.address`, `server.*` and `url.scheme` of a request with these headers.
async fn record(trusted: usize, headers: &[(&'static str, &str)]) -> String {
    let mut request: Request<Body> = get("/");
    request
        .extensions_mut()
        .insert(PeerAddr("10.0.0.9:4711".parse().unwrap()));
    let host = "inner:8080".parse().unwrap();
    request.headers_mut().insert("host", host);
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let span = serve(
        |layer| layer.with_trusted_proxies(trusted),
        request,
        status(200),
    )
    .await;
    // The peer is what it is, whatever it says.
    let peer = "network.peer.address = \"10.0.0.9\"\nnetwork.peer.port = 4711\n";
    assert_eq!(of(&span, "network.peer."), peer);
    ["client.", "server.", "url.scheme"]
        .map(|key| of(&span, key))
        .concat()
}

fn expected(client: &str, server: &str, port: Option<u16>, scheme: &str) -> String {
    let port = port.map(|port| format!("server.port = {port}\n"));
    let port = port.unwrap_or_default();
    let server = format!("server.address = {server:?}\n{port}");
    format!("client.address = {client:?}\n{server}url.scheme = {scheme:?}\n")
}

/// What stands there if nothing is believed.
fn own() -> String {
    expected("10.0.0.9", "inner", Some(8080), "http")
}

const X_FORWARDED: [(&str, &str); 3] = [
    ("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.1"),
    (
        "x-forwarded-host",
        "evil.example, api.example, mid.example:81",
    ),
    ("x-forwarded-proto", "gopher, https, http"),
];

const FORWARDED: [(&str, &str); 1] = [(
    "forwarded",
    "for=6.6.6.6;host=evil.example;proto=gopher, \
     For=\"[2001:db8::1]:4711\";Host=\"api.example:8443\";Proto=HTTPS, \
     for=10.0.0.1;host=mid.example",
)];

#[tokio::test]
async fn without_trust_nothing_is_believed() {
    assert_eq!(record(0, &X_FORWARDED).await, own());
    assert_eq!(record(0, &FORWARDED).await, own());
}

#[tokio::test]
async fn one_proxy_is_believed_what_it_added() {
    let outer = expected("10.0.0.1", "mid.example", Some(81), "http");
    assert_eq!(record(1, &X_FORWARDED).await, outer);
    let outer = expected("10.0.0.1", "mid.example", None, "http");
    assert_eq!(record(1, &FORWARDED).await, outer);
}

#[tokio::test]
async fn two_proxies_are_believed_what_the_outer_one_added() {
    let outer = expected("1.1.1.1", "api.example", None, "https");
    assert_eq!(record(2, &X_FORWARDED).await, outer);
    let outer = expected("2001:db8::1", "api.example", Some(8443), "https");
    assert_eq!(record(2, &FORWARDED).await, outer);
}

#[tokio::test]
async fn what_they_do_not_say_is_ones_own() {
    assert_eq!(record(1, &[]).await, own());
    let hidden = [("forwarded", "for=_hidden;by=unknown")];
    assert_eq!(record(1, &hidden).await, own());
    let mapped = [("x-forwarded-for", "::ffff:192.0.2.1")];
    let v4 = expected("192.0.2.1", "inner", Some(8080), "http");
    assert_eq!(record(1, &mapped).await, v4);
    let no_host = [("x-forwarded-host", "no host")];
    assert_eq!(record(1, &no_host).await, own());
}

/// A proxy that hands on the host it was asked for puts it in quotes, with all that may stand in
/// a host: RFC 7239, 4, and RFC 3986, 3.2.2.
#[tokio::test]
async fn a_quoted_host_is_no_element_of_its_own() {
    for host in [
        "a,for=6.6.6.6",
        "a,for=6.6.6.6;b",
        "a;for=6.6.6.6;b",
        r#"a\",for=6.6.6.6;x=\"b"#,
        r#"a\\\",for=6.6.6.6;\""#,
    ] {
        for value in [
            format!("for=1.1.1.1;host=\"{host}\""),
            format!("host=\"{host}\";for=1.1.1.1"),
            // What the caller wrote may be ill-formed on purpose.
            format!("for=\"6.6.6.6, for=1.1.1.1;host=\"{host}\""),
        ] {
            let said = record(1, &[("forwarded", &value)]).await;
            assert!(
                said.starts_with("client.address = \"1.1.1.1\"\n"),
                "{value}: {said}"
            );
        }
    }
}
