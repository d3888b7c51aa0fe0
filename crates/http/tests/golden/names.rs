//! `{method} {route}`, `{method} {url.template}`, `{method}`, `HTTP`; never the path.

use crate::shown::of;
use crate::{call, get, serve, status};
use axum::body::Body;
use dynamo_trace_http::Route;
use http::Request;
use opentelemetry_sdk::trace::SpanData;

const PATH: &str = "/users/42";

fn request(method: &str, route: Option<&'static str>) -> Request<Body> {
    let mut request = get(&format!("http://example.com{PATH}"));
    *request.method_mut() = method.parse().unwrap();
    request.extensions_mut().extend(extension(route));
    request
}

fn extension(route: Option<&'static str>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    if let Some(route) = route {
        extensions.insert(Route::new(route));
    }
    extensions
}

#[tokio::test]
async fn the_name_is_made_of_method_and_target() {
    for (method, route, name) in [
        ("GET", None, "GET"),
        ("GET", Some("/users/{id}"), "GET /users/{id}"),
        ("DELETE", Some("/users/{id}"), "DELETE /users/{id}"),
        ("PURGE", None, "HTTP"),
        ("PURGE", Some("/users/{id}"), "HTTP /users/{id}"),
        ("get", None, "HTTP"),
    ] {
        let target = |key| route.map(|route| format!("{key} = {route:?}\n"));
        let span = serve(|layer| layer, request(method, route), status(200)).await;
        assert_eq!(span.name, name);
        assert_eq!(
            of(&span, "http.route"),
            target("http.route").unwrap_or_default()
        );
        assert_eq!(of(&span, "url.template"), "");
        let span = call(|layer| layer, request(method, route), status(200)).await;
        assert_eq!(span.name, name);
        assert_eq!(of(&span, "http.route"), "");
        assert_eq!(
            of(&span, "url.template"),
            target("url.template").unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn a_route_of_few_values_is_what_it_says() {
    // Of no parameters, and so the same text as the path.
    let span = serve(|layer| layer, request("GET", Some(PATH)), status(200)).await;
    assert_eq!(span.name, format!("GET {PATH}"));
    assert_eq!(of(&span, "url.path"), format!("url.path = {PATH:?}\n"));
    assert_eq!(of(&span, "http.route"), format!("http.route = {PATH:?}\n"));
}

/// The spans of a server and of a client that have a function for the name.
async fn named(uri: &'static str, route: Option<&'static str>) -> [SpanData; 2] {
    let upload = |head: dynamo_trace_http::engine::RequestHead<'_>| {
        let is_upload = head.uri.path().starts_with("/files/");
        is_upload.then(|| "upload a file".into())
    };
    let request = || {
        let mut request = get(uri);
        request.extensions_mut().extend(extension(route));
        request
    };
    [
        serve(|layer| layer.with_name(upload), request(), status(200)).await,
        call(|layer| layer.with_name(upload), request(), status(200)).await,
    ]
}

#[tokio::test]
async fn the_users_name_goes_first() {
    for route in [None, Some("/files/{id}")] {
        for span in named("http://example.com/files/7", route).await {
            assert_eq!(span.name, "upload a file");
        }
        for span in named("http://example.com/", route).await {
            let name = route.map(|route| format!("GET {route}"));
            assert_eq!(span.name, name.unwrap_or_else(|| "GET".to_owned()));
        }
    }
}

#[tokio::test]
async fn the_users_name_stays_when_the_route_is_found() {
    let mut response = status(200);
    response.extensions_mut().insert(Route::new("/files/{id}"));
    let named = |layer: crate::Server| layer.with_name(|_| Some("mine".into()));
    let span = serve(named, get("/files/7"), response).await;
    assert_eq!(span.name, "mine");
    assert_eq!(of(&span, "http.route"), "http.route = \"/files/{id}\"\n");
}
