//! Which methods may be named.

use crate::shown::of;
use crate::{call, get, serve, status};
use axum::body::Body;
use http::Request;
use opentelemetry_sdk::trace::SpanData;

const KNOWN: [&str; 10] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE",
];

fn request(method: &str) -> Request<Body> {
    let mut request = get("http://example.com/");
    *request.method_mut() = method.parse().unwrap();
    request
}

/// The spans of a server and of a client that get or send this method.
async fn record(method: &str, list: Option<&'static [&'static str]>) -> [SpanData; 2] {
    let on_server = |layer: crate::Server| match list {
        Some(list) => layer.with_known_methods(list.iter().copied()),
        None => layer,
    };
    let on_client = |layer: crate::ClientLayer| match list {
        Some(list) => layer.with_known_methods(list.iter().copied()),
        None => layer,
    };
    [
        serve(on_server, request(method), status(200)).await,
        call(on_client, request(method), status(200)).await,
    ]
}

fn assert_known(span: &SpanData, method: &str) {
    assert_eq!(span.name, method);
    let expected = format!("http.request.method = \"{method}\"\n");
    assert_eq!(of(span, "http.request"), expected);
}

fn assert_other(span: &SpanData, original: &str) {
    assert_eq!(span.name, "HTTP");
    let expected = format!(
        "http.request.method = \"_OTHER\"\nhttp.request.method_original = \"{original}\"\n"
    );
    assert_eq!(of(span, "http.request"), expected);
}

#[tokio::test]
async fn those_of_the_conventions_are_known() {
    for method in KNOWN {
        for span in record(method, None).await {
            assert_known(&span, method);
        }
    }
}

#[tokio::test]
async fn others_and_those_in_another_case_are_not() {
    let lowercase = KNOWN.map(str::to_ascii_lowercase);
    let others = ["PURGE", "PROPFIND", "Get", "GETS", "QUERY2"];
    for method in lowercase.iter().map(String::as_str).chain(others) {
        for span in record(method, None).await {
            assert_other(&span, method);
        }
    }
}

#[tokio::test]
async fn a_list_of_ones_own_replaces_them() {
    let list: &[&str] = &["GET", "PURGE", "get"];
    for method in ["GET", "PURGE", "get"] {
        for span in record(method, Some(list)).await {
            assert_known(&span, method);
        }
    }
    for method in ["POST", "purge", "QUERY"] {
        for span in record(method, Some(list)).await {
            assert_other(&span, method);
        }
    }
    for span in record("GET", Some(&[])).await {
        assert_other(&span, "GET");
    }
}
