//! What panics.

use crate::stack::as_is;
use crate::telemetry::{attribute, ending};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Response, StatusCode};
use std::convert::Infallible;
use tower_http::catch_panic::CatchPanicLayer;

async fn panics() -> Response<Body> {
    tokio::task::yield_now().await;
    panic!("of the handler")
}

/// Panics before there is a future.
fn panics_at_once() -> std::future::Pending<Response<Body>> {
    panic!("of the call")
}

async fn panics_in_the_body() -> Response<Body> {
    let stream = futures_util::stream::iter([1, 2]).then(async |number| {
        // What was sent before goes out.
        tokio::task::yield_now().await;
        match number {
            1 => Ok::<_, Infallible>("chunk"),
            _ => panic!("of the body"),
        }
    });
    Response::new(Body::from_stream(stream))
}

macro_rules! panicking {
    ($($name:ident: $handler:expr,)+) => { $( mod $name {
        use super::*;

        #[tokio::test]
        async fn caught_outside_fails_the_span() {
            let stack = three_ways!($handler, as_is, |ours| [CatchPanicLayer::new(), ours]);
            for outcome in stack {
                let (way, span) = (outcome.way, outcome.span().await);
                assert_eq!(outcome.status, StatusCode::INTERNAL_SERVER_ERROR, "{way}");
                assert_eq!(outcome.body.as_ref().unwrap(), "Service panicked", "{way}");
                assert_eq!(ending(&span), "failed:panic", "{way}");
                assert_eq!(attribute(&span, "http.response.status_code"), None, "{way}");
            }
        }

        #[tokio::test]
        async fn caught_inside_is_a_500() {
            let stack = three_ways!($handler, as_is, |ours| [ours, CatchPanicLayer::new()]);
            for outcome in stack {
                let (way, span) = (outcome.way, outcome.span().await);
                assert_eq!(outcome.status, StatusCode::INTERNAL_SERVER_ERROR, "{way}");
                assert_eq!(outcome.body.as_ref().unwrap(), "Service panicked", "{way}");
                assert_eq!(ending(&span), "failed:500", "{way}");
                let status = attribute(&span, "http.response.status_code");
                assert_eq!(status, Some(500.into()), "{way}");
            }
        }
    } )+ };
}

panicking! {
    in_the_future: panics,
    in_the_call: panics_at_once,
}

#[tokio::test]
async fn a_panic_of_the_body_is_caught_by_nobody() {
    let catch = CatchPanicLayer::new;
    let outside = three_ways!(panics_in_the_body, as_is, |ours| [catch(), ours]);
    let inside = three_ways!(panics_in_the_body, as_is, |ours| [ours, catch()]);
    for outcome in outside.into_iter().chain(inside) {
        let (way, span) = (outcome.way, outcome.span().await);
        assert!(outcome.body.is_err(), "{way}");
        assert_eq!(ending(&span), "failed:panic", "{way}");
    }
}
