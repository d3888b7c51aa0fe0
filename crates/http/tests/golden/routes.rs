//! Routes of axum.

use crate::shown::of;
use crate::telemetry::attribute;
use crate::{Telemetry, get, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::{any, get as route};
use dynamo_trace_http::ServerLayer;
use dynamo_trace_http::axum::RouteLayer;
use http_body_util::BodyExt;
use opentelemetry_sdk::trace::SpanData;
use tower::{Layer, ServiceExt};

fn router() -> Router {
    let models = Router::new()
        .route("/{model}", route(async || "one"))
        .route("/", route(async || "all"));
    let v1 = Router::new()
        .nest("/models", models)
        .route("/files/{*path}", route(async || "file"))
        .fallback(async || "none of v1");
    Router::new()
        .nest("/v1", v1)
        .route("/any", any(async || "any"))
        .nest_service("/static", any(async || "a service"))
}

/// What a request for this path takes; `None` where there is no route.
const PATHS: [(&str, Option<&str>); 8] = [
    ("/any", Some("/any")),
    ("/v1/models/llama", Some("/v1/models/{model}")),
    ("/v1/models", Some("/v1/models")),
    ("/v1/files/a/b", Some("/v1/files/{*path}")),
    ("/v1/nothing", None),
    ("/static/style.css", None),
    ("/nowhere/4711", None),
    ("/", None),
];

pub(crate) fn assert_route(span: &SpanData, path: &str, route: Option<&str>) {
    let name = route.map(|route| format!("GET {route}"));
    assert_eq!(
        span.name,
        name.unwrap_or_else(|| "GET".to_owned()),
        "{path}"
    );
    let line = route.map(|route| format!("http.route = {route:?}\n"));
    assert_eq!(of(span, "http.route"), line.unwrap_or_default(), "{path}");
    assert_eq!(of(span, "url.path"), format!("url.path = {path:?}\n"));
}

#[tokio::test]
async fn a_layer_in_the_router_sees_it() {
    for (path, route) in PATHS {
        let telemetry = Telemetry::new();
        let app = router().layer(telemetry.axum());
        soon(app.oneshot(get(path))).await.unwrap();
        let [span] = telemetry.ended().await;
        assert_route(&span, path, route);
    }
}

#[tokio::test]
async fn a_layer_around_the_router_is_told_by_one_inside() {
    for (path, route) in PATHS {
        let telemetry = Telemetry::new();
        let app = router().route_layer(RouteLayer::new());
        let app = telemetry.axum().layer(app);
        let response = soon(app.oneshot(get(path))).await.unwrap();
        soon(response.into_body().collect()).await.unwrap();
        let [span] = telemetry.ended().await;
        assert_route(&span, path, route);
    }
}

#[tokio::test]
async fn a_layer_around_the_router_alone_sees_none() {
    for (path, _) in PATHS {
        let telemetry = Telemetry::new();
        let app = telemetry.axum().layer(router());
        let response = soon(app.oneshot(get(path))).await.unwrap();
        soon(response.into_body().collect()).await.unwrap();
        let [span] = telemetry.ended().await;
        assert_route(&span, path, None);
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_has_the_route() {
    let telemetry = Telemetry::new();
    let inside = router().layer(telemetry.axum());
    let outside = telemetry
        .axum()
        .layer(router().route_layer(RouteLayer::new()));
    let post = || {
        let mut request = get("/v1/models/llama");
        *request.method_mut() = http::Method::POST;
        request
    };
    assert_eq!(soon(inside.oneshot(post())).await.unwrap().status(), 405);
    assert_eq!(soon(outside.oneshot(post())).await.unwrap().status(), 405);
    for span in telemetry.all_ended(2).await {
        assert_eq!(span.name, "POST /v1/models/{model}");
    }
}

#[tokio::test]
async fn a_layer_for_any_service_leaves_axums_route_to_axums_own() {
    let telemetry = Telemetry::new();
    let layer: ServerLayer<_> = telemetry.server();
    let app = Router::<()>::new().route("/any", route(async || Body::empty()));
    soon(app.layer(layer).oneshot(get("/any"))).await.unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(attribute(&span, "http.route"), None);
}
