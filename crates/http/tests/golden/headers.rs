//! Headers stand on a span by an allow-list alone.

use crate::shown::of;
use crate::{Telemetry, call, get, hyper, serve, soon, status};
use axum::body::Body;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

static TENANT: HeaderName = HeaderName::from_static("x-tenant");

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in ["text/html", "application/json;q=0.9, */*"] {
        headers.append(ACCEPT, HeaderValue::from_static(value));
    }
    headers.append(TENANT.clone(), HeaderValue::from_static(""));
    let mut sensitive = HeaderValue::from_static("Bearer secret");
    sensitive.set_sensitive(true);
    headers.append(AUTHORIZATION, sensitive);
    headers.append(COOKIE, HeaderValue::from_static("session=secret"));
    headers.append(SET_COOKIE, HeaderValue::from_static("session=secret"));
    headers
}

fn request() -> Request<Body> {
    let mut request = get("http://example.com/");
    *request.headers_mut() = headers();
    request
}

fn response() -> Response<Body> {
    let mut response = status(200);
    *response.headers_mut() = headers();
    response
}

const MISSING: HeaderName = HeaderName::from_static("x-missing");

fn listed() -> [HeaderName; 4] {
    [ACCEPT, TENANT.clone(), AUTHORIZATION, MISSING]
}

fn expected(side: &str) -> String {
    format!(
        r#"http.{side}.header.accept = ["text/html", "application/json;q=0.9, */*"]
http.{side}.header.authorization = ["REDACTED"]
http.{side}.header.x-tenant = [""]
"#
    )
}

#[tokio::test]
async fn what_is_listed_is_recorded_whole() {
    let both = expected("request") + &expected("response");
    let layer = |layer: crate::Server| {
        let layer = layer.with_request_headers(listed());
        layer.with_response_headers(listed())
    };
    let span = serve(layer, request(), response()).await;
    let headers = of(&span, "http.request.header.") + &of(&span, "http.response.header.");
    assert_eq!(headers, both);
    let layer = |layer: crate::ClientLayer| {
        let layer = layer.with_request_headers(listed());
        layer.with_response_headers(listed())
    };
    let span = call(layer, request(), response()).await;
    let headers = of(&span, "http.request.header.") + &of(&span, "http.response.header.");
    assert_eq!(headers, both);
}

#[tokio::test]
async fn nothing_is_recorded_that_is_not_listed() {
    for span in [
        serve(|layer| layer, request(), response()).await,
        call(|layer| layer, request(), response()).await,
    ] {
        assert!(!format!("{span:?}").contains("header"), "{span:#?}");
        assert!(!format!("{span:?}").contains("secret"), "{span:#?}");
    }
}

#[tokio::test]
async fn a_header_that_is_listed_twice_is_recorded_once() {
    let layer = |layer: crate::Server| {
        let layer = layer.with_request_headers([TENANT.clone(), ACCEPT, TENANT.clone()]);
        let layer = layer.with_request_headers([TENANT.clone()]);
        layer.with_response_headers([TENANT.clone(), TENANT.clone()])
    };
    let span = serve(layer, request(), response()).await;
    let tenant = |side| format!("http.{side}.header.x-tenant = [\"\"]\n");
    assert_eq!(of(&span, "http.request.header.x"), tenant("request"));
    assert_eq!(of(&span, "http.response.header."), tenant("response"));
}

#[tokio::test]
async fn of_many_values_the_first_are_recorded() {
    let mut request = get("/");
    for number in 0..100 {
        request.headers_mut().append(TENANT.clone(), number.into());
    }
    let layer = |layer: crate::Server| layer.with_request_headers([TENANT.clone()]);
    let span = serve(layer, request, status(200)).await;
    let first: Vec<_> = (0..32).map(|number| number.to_string()).collect();
    let expected = format!("http.request.header.x-tenant = {first:?}\n");
    assert_eq!(of(&span, "http.request.header."), expected);
}

#[tokio::test]
async fn a_value_that_is_no_text_is_cut_and_shown_as_far_as_it_goes() {
    let mut request = get("/");
    let value = HeaderValue::from_bytes(b"caf\xe9").unwrap();
    request.headers_mut().append(TENANT.clone(), value);
    let long = "x".repeat(3000).parse().unwrap();
    request.headers_mut().append(TENANT.clone(), long);
    let layer = |layer: crate::Server| layer.with_request_headers([TENANT.clone()]);
    let span = serve(layer, request, status(200)).await;
    let expected = format!("[\"caf\u{fffd}\", \"{}\"]\n", "x".repeat(2048));
    let recorded = of(&span, "http.request.header.");
    assert_eq!(
        recorded,
        format!("http.request.header.x-tenant = {expected}")
    );
}

#[tokio::test]
async fn names_are_lowercase_over_a_socket_too() {
    for http2 in [false, true] {
        let telemetry = Telemetry::new();
        let answer = service_fn(async |_| Ok::<_, std::convert::Infallible>(response()));
        let layer = telemetry.server().with_request_headers(listed());
        let server = crate::serve::Server::start(layer.layer(answer)).await;
        let listed = ["X-TENANT", "Accept"].map(|name| name.parse().unwrap());
        let client = telemetry.client().with_response_headers(listed);
        let mut request = http::Request::new(http_body_util::Full::<bytes::Bytes>::default());
        *request.uri_mut() = format!("http://{}/", server.addr).parse().unwrap();
        request
            .headers_mut()
            .insert("X-Tenant", "t".parse().unwrap());
        let client = client.layer(hyper(http2));
        drop(soon(client.oneshot(request)).await.unwrap());
        let spans = telemetry.all_ended(2).await;
        let all: String = spans.iter().map(|span| of(span, "http.re")).collect();
        assert!(
            all.contains("http.request.header.x-tenant = [\"t\"]\n"),
            "{all}"
        );
        assert!(
            all.contains("http.response.header.x-tenant = [\"\"]\n"),
            "{all}"
        );
        assert!(
            all.contains("http.response.header.accept = [\"text/html\", "),
            "{all}"
        );
    }
}
