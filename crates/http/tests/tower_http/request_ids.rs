//! Request ids: who makes them, what is recorded of them, and what the client is told.

use crate::stack::{Outcome, as_is};
use crate::telemetry::{attribute, ending};
use crate::{Request, tokens};
use axum::body::Body;
use http::{HeaderValue, Response};
use opentelemetry::{Array, Value};
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};

/// Every id is the same.
#[derive(Clone, Copy)]
struct Made;

impl MakeRequestId for Made {
    fn make_request_id<B>(&mut self, _: &http::Request<B>) -> Option<RequestId> {
        Some(RequestId::new(HeaderValue::from_static("made")))
    }
}

fn set() -> SetRequestIdLayer<Made> {
    SetRequestIdLayer::x_request_id(Made)
}

fn propagate() -> PropagateRequestIdLayer {
    PropagateRequestIdLayer::x_request_id()
}

fn with_id(request: &mut Request) {
    let id = HeaderValue::from_static("sent");
    request.headers_mut().insert("x-request-id", id);
}

/// Names another one than it was sent.
async fn another() -> Response<Body> {
    let mut response = tokens().await;
    let id = HeaderValue::from_static("another");
    response.headers_mut().insert("x-request-id", id);
    response
}

/// The id on the request and on the response, as recorded, and the one that the client is given.
async fn check(outcomes: [Outcome; 3], expected: [Option<&'static str>; 3]) {
    for outcome in outcomes {
        let span = outcome.span().await;
        assert_eq!(ending(&span), "complete", "{}", outcome.way);
        let [request, response, given] = expected;
        for (side, expected) in [("request", request), ("response", response)] {
            let key = format!("http.{side}.header.x-request-id");
            let keys = span.attributes.iter().filter(|kv| kv.key.as_str() == key);
            assert!(keys.count() <= 1, "{}: {span:#?}", outcome.way);
            let expected = expected.map(|id| Value::Array(Array::String(vec![id.into()])));
            assert_eq!(attribute(&span, &key), expected, "{}: {side}", outcome.way);
        }
        assert_eq!(outcome.header("x-request-id"), given, "{}", outcome.way);
    }
}

#[tokio::test]
async fn one_that_is_made_outside_is_recorded_and_given_back() {
    let made = Some("made");
    let stack = three_ways!(tokens, as_is, |ours| [set(), ours.with_request_id()]);
    check(stack, [made, None, made]).await;
    let stack = three_ways!(tokens, as_is, |ours| [
        set(),
        propagate(),
        ours.with_request_id()
    ]);
    check(stack, [made, None, made]).await;
    let stack = three_ways!(tokens, as_is, |ours| [
        set(),
        ours.with_request_id(),
        propagate()
    ]);
    check(stack, [made, made, made]).await;
}

#[tokio::test]
async fn one_that_is_made_inside_is_recorded_if_the_response_has_it() {
    let made = Some("made");
    let stack = three_ways!(tokens, as_is, |ours| [
        ours.with_request_id(),
        set(),
        propagate()
    ]);
    check(stack, [None, made, made]).await;
    let stack = three_ways!(tokens, as_is, |ours| [ours.with_request_id(), set()]);
    check(stack, [None, None, None]).await;
    // What propagates it has not seen it.
    let stack = three_ways!(tokens, as_is, |ours| [
        ours.with_request_id(),
        propagate(),
        set()
    ]);
    check(stack, [None, None, None]).await;
    let stack = three_ways!(tokens, as_is, |ours| [
        propagate(),
        ours.with_request_id(),
        set()
    ]);
    check(stack, [None, None, None]).await;
}

#[tokio::test]
async fn that_of_the_caller_is_recorded_and_given_back_in_any_order() {
    let sent = Some("sent");
    let stack = three_ways!(tokens, with_id, |ours| [set(), ours.with_request_id()]);
    check(stack, [sent, None, sent]).await;
    let stack = three_ways!(tokens, with_id, |ours| [ours.with_request_id(), set()]);
    check(stack, [sent, None, sent]).await;
    let stack = three_ways!(tokens, with_id, |ours| [
        ours.with_request_id(),
        set(),
        propagate()
    ]);
    check(stack, [sent, sent, sent]).await;
}

#[tokio::test]
async fn what_the_service_says_stands() {
    let (sent, other) = (Some("sent"), Some("another"));
    let stack = three_ways!(another, with_id, |ours| [
        set(),
        propagate(),
        ours.with_request_id()
    ]);
    check(stack, [sent, other, other]).await;
    let stack = three_ways!(another, with_id, |ours| [
        ours.with_request_id(),
        set(),
        propagate()
    ]);
    check(stack, [sent, other, other]).await;
}

#[tokio::test]
async fn a_header_that_is_asked_for_twice_is_recorded_once() {
    let id = || [http::HeaderName::from_static("x-request-id")];
    let stack = three_ways!(another, with_id, |ours| [ours
        .with_response_headers(id())
        .with_request_id()
        .with_request_headers(id())]);
    check(stack, [Some("sent"), Some("another"), Some("another")]).await;
}

#[tokio::test]
async fn without_the_option_nothing_is_recorded_or_given_back() {
    let stack = three_ways!(tokens, with_id, |ours| [set(), ours]);
    check(stack, [None, None, None]).await;
}
