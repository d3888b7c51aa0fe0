//! Bodies of axum that nobody records.

use crate::{Telemetry, get, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::get as route;
use bytes::Bytes;
use dynamo_trace_http::ServerLayer;
use dynamo_trace_http::axum::ServerLayer as AxumLayer;
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tower::{Layer, ServiceExt};

type Seen = Arc<Mutex<Vec<SpanContext>>>;

/// Chunks of an unknown number, each of which notes what is current.
fn noting(seen: &Seen) -> Body {
    let (seen, mut left) = (seen.clone(), 2);
    Body::from_stream(futures_util::stream::poll_fn(move |_| {
        let current = Context::current().span().span_context().clone();
        seen.lock().unwrap().push(current);
        left -= 1;
        Poll::Ready((left >= 0).then_some(Ok::<_, Infallible>(Bytes::from_static(b"chunk"))))
    }))
}

#[tokio::test]
async fn a_body_that_nobody_records_is_made_in_the_callers_context() {
    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let telemetry = Telemetry::new();
    let none = opentelemetry::trace::noop::NoopTracerProvider::new();
    let no_sdk = || AxumLayer::new().with_tracer_provider(&none);
    let no_sdk_for_any = ServerLayer::new().with_tracer_provider(&none);
    for flags in ["00", "01"] {
        let seen = Seen::default();
        let router = || {
            let seen = seen.clone();
            Router::<()>::new().route("/", route(async move || noting(&seen)))
        };
        let filtered = || telemetry.axum().with_filter(|_| false);
        let mut apps = vec![
            router().layer(filtered()),
            Router::new().fallback_service(filtered().layer(router())),
            router().layer(no_sdk()),
            Router::new().fallback_service(no_sdk().layer(router())),
            router().layer(no_sdk_for_any.clone()),
        ];
        if flags == "00" {
            apps.push(router().layer(telemetry.axum()));
            apps.push(Router::new().fallback_service(telemetry.axum().layer(router())));
        }
        for app in apps {
            let mut request = get("/");
            let caller = format!("00-{TRACE_ID}-b7ad6b7169203331-{flags}");
            let caller = caller.parse().unwrap();
            request.headers_mut().insert("traceparent", caller);
            let response = soon(app.oneshot(request)).await.unwrap();
            soon(response.into_body().collect()).await.unwrap();
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            assert_eq!(seen.len(), 3);
            for current in seen {
                assert_eq!(current.trace_id().to_string(), TRACE_ID);
                assert_eq!(current.trace_flags().to_u8(), u8::from(flags == "01"));
            }
        }
    }
    assert_eq!(telemetry.count(), 0);
}
