//! The list of methods that a process knows: global, and so in a test binary of its own.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use dynamo_trace_core::set_known_http_methods;
use dynamo_trace_http::{ClientLayer, ServerLayer};
use dynamo_trace_testkit::span_log::{SpanLog, text};
use http::{Request, Response};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

/// Names and methods of the spans of a server and of a client.
async fn record(method: &str, own: Option<&[&str]>) -> [(String, Option<String>); 2] {
    let log = SpanLog::default();
    let server = ServerLayer::new().with_tracer_provider(&log.provider());
    let client = ClientLayer::new().with_tracer_provider(&log.provider());
    let (server, client) = match own {
        Some(own) => (
            server.with_known_methods(own.iter().copied()),
            client.with_known_methods(own.iter().copied()),
        ),
        None => (server, client),
    };
    let answer =
        service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let request = || Request::builder().method(method).body(String::new());
    let (server, client) = (server.layer(answer), client.layer(answer));
    server.oneshot(request().unwrap()).await.unwrap();
    client.oneshot(request().unwrap()).await.unwrap();
    let spans: [_; 2] = log.ended().await;
    spans.map(|span| (span.name.to_string(), text(&span, "http.request.method")))
}

fn known(method: &str) -> [(String, Option<String>); 2] {
    [0, 1].map(|_| (method.to_owned(), Some(method.to_owned())))
}

fn other() -> [(String, Option<String>); 2] {
    [0, 1].map(|_| ("HTTP".to_owned(), Some("_OTHER".to_owned())))
}

#[tokio::test]
async fn every_layer_follows_it_unless_it_has_its_own() {
    assert_eq!(record("POST", None).await, known("POST"));
    assert_eq!(record("PURGE", None).await, other());

    let list = ["GET", "PURGE", "query"].map(str::to_owned);
    set_known_http_methods(list.to_vec()).unwrap();
    for method in ["GET", "PURGE", "query"] {
        assert_eq!(record(method, None).await, known(method));
    }
    for method in ["POST", "get", "QUERY", "purge"] {
        assert_eq!(record(method, None).await, other(), "{method}");
    }
    assert_eq!(record("POST", Some(&["POST"])).await, known("POST"));
    assert_eq!(record("GET", Some(&["POST"])).await, other());

    let again = set_known_http_methods(vec!["POST".to_owned()]);
    assert_eq!(again, Err(vec!["POST".to_owned()]));
    assert_eq!(record("POST", None).await, other());
}
