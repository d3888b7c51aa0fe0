//! What names a span: methods that are known, and nothing that callers choose.

use crate::bench::{Bench, echo, refuse, server_layer};
use dynamo_trace_testkit::span_log::{SpanLog, text};
use std::convert::Infallible;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn the_name_is_the_method() {
    let bench = Bench::start(echo).await;
    let methods = ["test.Golden/Name", "Golden/Name", "a.b.c.Golden/Name"];
    for (calls, method) in methods.into_iter().enumerate() {
        bench.call(method, "").await.unwrap();
        for span in bench.last_ended(calls + 1).await {
            assert_eq!(span.name, method);
            assert_eq!(text(&span, "rpc.method").as_deref(), Some(method));
            assert_eq!(text(&span, "rpc.method_original"), None);
        }
    }
}

#[tokio::test]
async fn where_no_method_is_named_there_is_still_a_name() {
    for path in ["/", "//", "*", ""] {
        let log = SpanLog::default();
        let answer = service_fn(async |_: http::Request<Body>| {
            Ok::<_, Infallible>(http::Response::new(Body::empty()))
        });
        let layer = server_layer(&log.provider());
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = match path {
            "" => "localhost:80".parse().unwrap(),
            path => path.parse().unwrap(),
        };
        layer.layer(answer).oneshot(request).await.unwrap();
        let [span] = log.ended().await;
        assert!(!span.name.is_empty(), "{path:?}: {span:#?}");
        let method = text(&span, "rpc.method");
        assert!(method.is_some_and(|method| !method.is_empty()), "{path:?}");
    }
}

#[tokio::test]
async fn a_method_that_is_known_stays_known_where_it_is_unimplemented_later() {
    let bench = Bench::start(|request| match request.headers().contains_key("x-refuse") {
        true => refuse(request),
        false => echo(request),
    })
    .await;
    bench.call("test.Golden/Later", "").await.unwrap();
    let mut client = bench.client();
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(bytes::Bytes::from_static(b"12"));
    request
        .metadata_mut()
        .insert("x-refuse", "1".parse().unwrap());
    let path = "/test.Golden/Later".parse().unwrap();
    let reply = client.unary(request, path, crate::bench::codec()).await;
    assert_eq!(reply.unwrap_err().code(), tonic::Code::Unimplemented);
    for span in bench.last_ended(2).await {
        assert_eq!(span.name, "test.Golden/Later");
        assert_eq!(text(&span, "rpc.method_original"), None);
    }
}
