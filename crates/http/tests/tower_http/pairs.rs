//! Every layer inside and outside, and all of them at once: a plain request does not notice.

use crate::stack::{Outcome, as_is};
use crate::telemetry::{attribute, ending};
use crate::{CHUNK, CHUNKS, tokens};
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, StatusCode};
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::{
    SetSensitiveHeadersLayer, SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer,
};
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;

const LONG: Duration = Duration::from_secs(60);

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONG)
}

fn make_request_id() -> SetRequestIdLayer<MakeRequestUuid> {
    SetRequestIdLayer::x_request_id(MakeRequestUuid)
}

/// One span, complete, and the response as if there were no layers.
async fn check(outcomes: [Outcome; 3]) {
    for outcome in outcomes {
        let way = outcome.way;
        assert_eq!(outcome.status, StatusCode::OK, "{way}");
        let body = outcome.body.as_ref().unwrap();
        assert_eq!(*body, CHUNK.repeat(CHUNKS), "{way}");
        let span = outcome.span().await;
        assert_eq!(ending(&span), "complete", "{way}");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status, Some(200.into()), "{way}");
        let route = (way != "plain").then(|| "/".into());
        assert_eq!(attribute(&span, "http.route"), route, "{way}");
    }
}

macro_rules! both_sides {
    ($($name:ident: $layer:expr,)+) => { $(
        #[tokio::test]
        async fn $name() {
            check(three_ways!(tokens, as_is, |ours| [$layer, ours])).await;
            check(three_ways!(tokens, as_is, |ours| [ours, $layer])).await;
        }
    )+ };
}

both_sides! {
    a_timeout: timeout(),
    a_timeout_of_the_body: ResponseBodyTimeoutLayer::new(LONG),
    cors: CorsLayer::permissive(),
    compression: CompressionLayer::new(),
    catch_panic: CatchPanicLayer::new(),
    set_request_id: make_request_id(),
    propagate_request_id: PropagateRequestIdLayer::x_request_id(),
    sensitive_headers: SetSensitiveHeadersLayer::new([AUTHORIZATION]),
    sensitive_request_headers: SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]),
    sensitive_response_headers: SetSensitiveResponseHeadersLayer::new([AUTHORIZATION]),
    trace: TraceLayer::new_for_http(),
}

#[tokio::test]
async fn all_of_them_outside() {
    let outcomes = three_ways!(tokens, as_is, |ours| [
        make_request_id(),
        SetSensitiveHeadersLayer::new([AUTHORIZATION]),
        CorsLayer::permissive(),
        CatchPanicLayer::new(),
        TraceLayer::new_for_http(),
        timeout(),
        CompressionLayer::new(),
        PropagateRequestIdLayer::x_request_id(),
        ours,
    ]);
    check(outcomes).await;
}

#[tokio::test]
async fn all_of_them_inside() {
    let outcomes = three_ways!(tokens, as_is, |ours| [
        ours,
        make_request_id(),
        SetSensitiveHeadersLayer::new([AUTHORIZATION]),
        TraceLayer::new_for_http(),
        CorsLayer::permissive(),
        timeout(),
        CompressionLayer::new(),
        PropagateRequestIdLayer::x_request_id(),
        CatchPanicLayer::new(),
    ]);
    check(outcomes).await;
}

/// What the documentation recommends: each where it works best.
#[tokio::test]
async fn all_of_them_where_they_belong() {
    let secret = HeaderName::from_static("x-secret");
    let asked = [AUTHORIZATION, secret.clone()];
    let handler = async || {
        let mut response = tokens().await;
        let secret = HeaderValue::from_static("of the response");
        response.headers_mut().insert("x-secret", secret);
        response
    };
    let outcomes = three_ways!(
        handler,
        |request| {
            let secret = HeaderValue::from_static("Bearer secret");
            request.headers_mut().insert(AUTHORIZATION, secret);
        },
        |ours| [
            SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]),
            make_request_id(),
            CorsLayer::permissive(),
            CompressionLayer::new(),
            ours.with_request_id()
                .with_request_headers(asked.clone())
                .with_response_headers(asked.clone()),
            CatchPanicLayer::new(),
            timeout(),
            SetSensitiveResponseHeadersLayer::new([secret.clone()]),
        ]
    );
    for outcome in &outcomes {
        let span = outcome.span().await;
        let recorded = format!("{span:?}");
        assert!(!recorded.contains("Bearer secret"), "{span:#?}");
        assert!(!recorded.contains("of the response"), "{span:#?}");
        let id = outcome.header("x-request-id").unwrap();
        assert!(recorded.contains(id), "{id} is not in {span:#?}");
        assert_eq!(outcome.header("x-secret"), Some("of the response"));
    }
    check(outcomes).await;
}
