//! What takes too long.

use crate::stack::as_is;
use crate::telemetry::{attribute, ending};
use crate::{CHUNK, hang};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Response, StatusCode};
use std::convert::Infallible;
use std::time::Duration;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};

/// What is waited for never comes.
const SHORT: Duration = Duration::from_millis(1);

/// A body that stops in its midst.
async fn stuck() -> Response<Body> {
    let chunk = futures_util::stream::iter([Ok::<_, Infallible>(CHUNK)]);
    Response::new(Body::from_stream(
        chunk.chain(futures_util::stream::pending()),
    ))
}

#[tokio::test]
async fn outside_it_cancels_the_span() {
    for status in [StatusCode::REQUEST_TIMEOUT, StatusCode::GATEWAY_TIMEOUT] {
        let timeout = || TimeoutLayer::with_status_code(status, SHORT);
        for outcome in three_ways!(hang, as_is, |ours| [timeout(), ours]) {
            let (way, span) = (outcome.way, outcome.span().await);
            assert_eq!(outcome.status, status, "{way}");
            assert_eq!(ending(&span), "cancelled", "{way}");
            assert_eq!(attribute(&span, "http.response.status_code"), None, "{way}");
        }
    }
}

#[tokio::test]
async fn inside_it_is_the_response() {
    for (status, expected) in [
        (StatusCode::REQUEST_TIMEOUT, "complete"),
        (StatusCode::GATEWAY_TIMEOUT, "failed:504"),
    ] {
        let timeout = || TimeoutLayer::with_status_code(status, SHORT);
        for outcome in three_ways!(hang, as_is, |ours| [ours, timeout()]) {
            let (way, span) = (outcome.way, outcome.span().await);
            assert_eq!(outcome.status, status, "{way}");
            assert_eq!(ending(&span), expected, "{way}");
            let code = i64::from(status.as_u16());
            let recorded = attribute(&span, "http.response.status_code");
            assert_eq!(recorded, Some(code.into()), "{way}");
        }
    }
}

#[tokio::test]
async fn of_the_body_outside_it_cancels_the_span() {
    let timeout = || ResponseBodyTimeoutLayer::new(SHORT);
    for outcome in three_ways!(stuck, as_is, |ours| [timeout(), ours]) {
        let (way, span) = (outcome.way, outcome.span().await);
        assert!(outcome.body.is_err(), "{way}");
        assert_eq!(ending(&span), "cancelled", "{way}");
    }
}

#[tokio::test]
async fn of_the_body_inside_it_fails_the_span() {
    let timeout = || ResponseBodyTimeoutLayer::new(SHORT);
    for outcome in three_ways!(stuck, as_is, |ours| [ours, timeout()]) {
        let (way, span) = (outcome.way, outcome.span().await);
        assert!(outcome.body.is_err(), "{way}");
        assert!(ending(&span).starts_with("failed:"), "{way}: {span:#?}");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status, Some(200.into()), "{way}");
    }
}
