//! Every attribute of what is measured: of few values, whatever callers send.

use crate::{Measured, get, soon, unsampled};
use axum::Router;
use axum::body::Body;
use axum::routing::any;
use dynamo_trace_http::Route;
use dynamo_trace_http::axum::RouteLayer;
use http::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::io;
use tower::{Layer, ServiceExt, service_fn};

fn router() -> Router {
    Router::new()
        .route("/models/{model}", any(async || "ready"))
        .route("/fails", any(async || StatusCode::SERVICE_UNAVAILABLE))
}

/// With an SDK or without one, with a caller that samples or one that does not.
const WAYS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

async fn ask(app: Router, request: Request<Body>, is_sampled: bool) {
    let request = if is_sampled {
        request
    } else {
        unsampled(request)
    };
    let response = soon(app.oneshot(request)).await.unwrap();
    soon(axum::body::to_bytes(response.into_body(), 99))
        .await
        .unwrap();
}

#[tokio::test]
async fn of_a_server() {
    for (sdk, is_sampled) in WAYS {
        for outside in [false, true] {
            let measured = Measured::new();
            let layer = measured.axum(sdk);
            let app = match outside {
                false => router().layer(layer),
                // The route is found by what is inside.
                true => {
                    let app = layer.layer(router().route_layer(RouteLayer::new()));
                    Router::new().fallback_service(app)
                }
            };
            ask(app, get("/models/llama?a=b"), is_sampled).await;
            let expected = r#"http.request.method = "GET"
http.response.status_code = 200
http.route = "/models/{model}"
network.protocol.version = "1.1"
url.scheme = "http"
"#;
            let only = measured.only().attributes;
            assert_eq!(
                only, expected,
                "SDK {sdk}, sampled {is_sampled}, outside {outside}"
            );
        }
    }
}

#[tokio::test]
async fn of_a_server_that_fails() {
    for (sdk, is_sampled) in WAYS {
        let measured = Measured::new();
        let app = router().layer(measured.axum(sdk));
        let mut request = get("https://example.com/fails");
        *request.method_mut() = "PURGE".parse().unwrap();
        *request.version_mut() = http::Version::HTTP_2;
        ask(app, request, is_sampled).await;
        let expected = r#"dynamo_trace.ending = "failed"
error.type = "503"
http.request.method = "_OTHER"
http.response.status_code = 503
http.route = "/fails"
network.protocol.version = "2"
url.scheme = "https"
"#;
        assert_eq!(measured.only().attributes, expected);
    }
}

#[tokio::test]
async fn of_a_client() {
    let measured = Measured::new();
    let answer = service_fn(async |_: Request<Body>| {
        let response = Response::builder().status(404);
        Ok::<_, Infallible>(response.body(Body::empty()).unwrap())
    });
    let mut request = get("https://me:pass@example.com/users/42?a=b");
    request.extensions_mut().insert(Route::new("/users/{id}"));
    soon(measured.client().layer(answer).oneshot(request))
        .await
        .unwrap();
    let expected = r#"dynamo_trace.ending = "failed"
error.type = "404"
http.request.method = "GET"
http.response.status_code = 404
network.protocol.version = "1.1"
server.address = "example.com"
server.port = 443
"#;
    assert_eq!(measured.only().attributes, expected);
}

#[tokio::test]
async fn of_a_client_without_a_response() {
    let measured = Measured::new();
    let refused = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(io::Error::from(io::ErrorKind::ConnectionRefused))
    });
    let client = measured.client().layer(refused);
    soon(client.oneshot(get("http://example.com:81/")))
        .await
        .unwrap_err();
    let expected = r#"dynamo_trace.ending = "failed"
error.type = "connection_refused"
http.request.method = "GET"
server.address = "example.com"
server.port = 81
"#;
    assert_eq!(measured.only().attributes, expected);
}

/// A caller that makes up everything makes no series of its own.
#[tokio::test]
async fn callers_choose_none_of_them() {
    let measured = Measured::new();
    let app = router().layer(measured.axum(true));
    for number in 0..20 {
        let mut request = get(&format!("/models/m{number}?q{number}={number}"));
        *request.method_mut() = format!("METHOD{number}").parse().unwrap();
        let peer: std::net::SocketAddr = ([10, 0, 0, number], 1000).into();
        let peer = axum::extract::ConnectInfo(peer);
        request.extensions_mut().insert(peer);
        for name in [
            "host",
            "user-agent",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "forwarded",
            "x-request-id",
            "content-type",
            "x-http-method-override",
        ] {
            let value = format!("example{number}").parse().unwrap();
            request.headers_mut().insert(name, value);
        }
        ask(app.clone(), request, true).await;
    }
    let durations = measured.durations();
    assert_eq!(durations.len(), 1, "{durations:#?}");
    assert_eq!(durations[0].count, 20);
    let active = measured.active();
    assert_eq!(active.len(), 1, "{active:#?}");
}
