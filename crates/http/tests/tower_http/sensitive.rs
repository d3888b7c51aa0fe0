//! Values that are marked as sensitive are redacted, where the mark is set in time.

use crate::stack::Outcome;
use crate::telemetry::{attribute, ending};
use crate::{Request, tokens};
use axum::body::Body;
use http::{HeaderName, HeaderValue, Response};
use opentelemetry::{Array, Value};
use tower_http::sensitive_headers::{
    SetSensitiveHeadersLayer, SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer,
};

const SECRET: HeaderName = HeaderName::from_static("x-secret");

fn with_secret(request: &mut Request) {
    let value = HeaderValue::from_static("of the caller");
    request.headers_mut().insert(SECRET, value);
}

async fn tells() -> Response<Body> {
    let mut response = tokens().await;
    let value = HeaderValue::from_static("of the service");
    response.headers_mut().insert(SECRET, value);
    response
}

/// What stands on the span of the request's and of the response's header.
async fn check(outcomes: [Outcome; 3], expected: [&'static str; 2]) {
    for outcome in outcomes {
        let span = outcome.span().await;
        assert_eq!(ending(&span), "complete", "{}", outcome.way);
        for (side, value) in ["request", "response"].into_iter().zip(expected) {
            let expected = Value::Array(Array::String(vec![value.into()]));
            let recorded = attribute(&span, &format!("http.{side}.header.x-secret"));
            assert_eq!(recorded, Some(expected), "{}: {side}", outcome.way);
        }
        // It is for logs alone.
        assert_eq!(outcome.header("x-secret"), Some("of the service"));
    }
}

macro_rules! stack {
    ($($outside:expr)?, ours $(, $inside:expr)?) => {
        three_ways!(tells, with_secret, |ours| [
            $($outside,)?
            ours.with_request_headers([SECRET]).with_response_headers([SECRET]),
            $($inside,)?
        ])
    };
}

#[tokio::test]
async fn marks_on_requests_count_if_set_outside() {
    let mark = || SetSensitiveRequestHeadersLayer::new([SECRET]);
    check(stack!(mark(), ours), ["REDACTED", "of the service"]).await;
    check(stack!(, ours, mark()), ["of the caller", "of the service"]).await;
}

#[tokio::test]
async fn marks_on_responses_count_if_set_inside() {
    let mark = || SetSensitiveResponseHeadersLayer::new([SECRET]);
    check(stack!(mark(), ours), ["of the caller", "of the service"]).await;
    check(stack!(, ours, mark()), ["of the caller", "REDACTED"]).await;
}

#[tokio::test]
async fn one_layer_for_both_does_half_of_it() {
    let mark = || SetSensitiveHeadersLayer::new([SECRET]);
    check(stack!(mark(), ours), ["REDACTED", "of the service"]).await;
    check(stack!(, ours, mark()), ["of the caller", "REDACTED"]).await;
    check(stack!(mark(), ours, mark()), ["REDACTED", "REDACTED"]).await;
}
