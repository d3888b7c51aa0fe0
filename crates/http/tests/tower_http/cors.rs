//! What a browser asks before it sends.

use crate::stack::as_is;
use crate::telemetry::{attribute, ending, text};
use crate::{Request, tokens};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tower_http::cors::{AllowOrigin, CorsLayer};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_headers([TRACEPARENT])
        .expose_headers([TRACERESPONSE])
}

fn preflight(request: &mut Request) {
    *request.method_mut() = Method::OPTIONS;
    for (name, value) in [
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "traceparent"),
    ] {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
}

#[tokio::test]
async fn a_preflight_that_is_answered_outside_makes_no_span() {
    for outcome in three_ways!(tokens, preflight, |ours| [cors(), ours]) {
        let way = outcome.way;
        assert_eq!(outcome.status, StatusCode::OK, "{way}");
        let allowed = outcome.header("access-control-allow-headers");
        assert_eq!(allowed, Some("traceparent"), "{way}");
        outcome.no_span().await;
    }
}

#[tokio::test]
async fn a_preflight_that_is_answered_inside_is_a_span() {
    for outcome in three_ways!(tokens, preflight, |ours| [ours, cors()]) {
        let (way, span) = (outcome.way, outcome.span().await);
        assert_eq!(outcome.status, StatusCode::OK, "{way}");
        let allowed = outcome.header("access-control-allow-headers");
        assert_eq!(allowed, Some("traceparent"), "{way}");
        assert_eq!(ending(&span), "complete", "{way}");
        let method = text(&span, "http.request.method");
        assert_eq!(method.as_deref(), Some("OPTIONS"), "{way}");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status, Some(200.into()), "{way}");
    }
}

#[tokio::test]
async fn a_browser_may_read_which_span_answered() {
    let outside = three_ways!(tokens, as_is, |ours| [cors(), ours.with_traceresponse()]);
    let inside = three_ways!(tokens, as_is, |ours| [ours.with_traceresponse(), cors()]);
    for outcome in outside.into_iter().chain(inside) {
        let span = outcome.span().await;
        let exposed = outcome.header("access-control-expose-headers");
        assert_eq!(exposed, Some("traceresponse"), "{}", outcome.way);
        let origin = outcome.header("access-control-allow-origin");
        assert_eq!(origin, Some("https://example.com"), "{}", outcome.way);
        let context = &span.span_context;
        let expected = format!("00-{}-{}-01", context.trace_id(), context.span_id());
        assert_eq!(outcome.header("traceresponse"), Some(expected.as_str()));
    }
}
