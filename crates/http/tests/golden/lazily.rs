//! Where the span is current inside of axum, whose routes are called when they are polled.

use crate::{Telemetry, get, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::any_service;
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tower::layer::layer_fn;
use tower::{Layer, Service, ServiceExt};

type Seen = Arc<Mutex<Vec<SpanContext>>>;

fn note(seen: &Seen) {
    let current = Context::current().span().span_context().clone();
    seen.lock().unwrap().push(current);
}

/// Notes which span is current in `call` itself, and hands on if there is somebody inside.
#[derive(Clone)]
struct Noting<S = ()>(Seen, S);

impl Service<Request<Body>> for Noting {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        note(&self.0);
        ready(Ok(Response::default()))
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Noting<(S,)> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        (self.1).0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        note(&self.0);
        (self.1).0.call(request)
    }
}

/// A router with a user's service everywhere that one can be, and a user's layer around each.
fn router(seen: &Seen) -> Router {
    let service = || Noting(seen.clone(), ());
    let layer = |seen: Seen| layer_fn(move |inner| Noting(seen.clone(), (inner,)));
    let nested = Router::new().route_service("/", service());
    Router::new()
        .route("/method", any_service(service()))
        .route_service("/service", service())
        .nest_service("/nested-service", service())
        .nest("/nested", nested)
        .fallback_service(service())
        .layer(layer(seen.clone()))
}

const PATHS: [&str; 5] = [
    "/method",
    "/service",
    "/nested-service",
    "/nested",
    "/fallback",
];

/// Calls the service, and asserts that what is inside saw the one span twice.
async fn assert_seen<S>(service: S, path: &str, telemetry: &Telemetry, seen: &Seen)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let response = soon(service.oneshot(get(path))).await.unwrap();
    soon(response.into_body().collect()).await.unwrap();
    let [span] = telemetry.ended().await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [span.span_context.clone(), span.span_context],
        "{path}"
    );
}

#[tokio::test]
async fn a_service_sees_the_span_in_its_call() {
    for path in PATHS {
        let (telemetry, seen) = (Telemetry::new(), Seen::default());
        let app = router(&seen).layer(telemetry.axum());
        assert_seen(app, path, &telemetry, &seen).await;

        let (telemetry, seen) = (Telemetry::new(), Seen::default());
        let app = telemetry.axum().layer(router(&seen));
        assert_seen(app, path, &telemetry, &seen).await;

        let (telemetry, seen) = (Telemetry::new(), Seen::default());
        let app = router(&seen).layer(telemetry.server());
        assert_seen(app, path, &telemetry, &seen).await;
    }
}

#[tokio::test]
async fn a_service_that_is_called_at_once_sees_it_too() {
    let (telemetry, seen) = (Telemetry::new(), Seen::default());
    let service = telemetry.axum().layer(Noting(seen.clone(), ()));
    let service = Noting(Seen::default(), (service,));
    soon(service.oneshot(get("/"))).await.unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(*seen.lock().unwrap(), [span.span_context]);
}
