//! The span is current wherever code of the user runs: also where tonic's routes call a service,
//! which the layer calls without the span (`Semantics::calls_lazily`).

use crate::echo::listen;
use crate::soon;
use crate::telemetry::Telemetry;
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tower::layer::util::Identity;
use tower::{Layer, Service, ServiceExt};

/// Looks at the current span in `poll_ready`, in `call`, and where the request is dropped.
#[derive(Clone, Default)]
struct Looks(Arc<Mutex<Vec<(&'static str, SpanId)>>>);

/// Looks when it is dropped.
#[derive(Clone)]
struct Dropped(Looks);

impl Looks {
    fn look(&self, place: &'static str) {
        let current = Context::map_current(|context| context.span().span_context().span_id());
        self.0.lock().unwrap().push((place, current));
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.look("drop");
    }
}

impl NamedService for Looks {
    const NAME: &'static str = "test.Looks";
}

impl<B> Service<http::Request<B>> for Looks {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        self.look("poll_ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<B>) -> Self::Future {
        self.look("call");
        ready(Ok(Status::not_found("as told").into_http()))
    }
}

fn request(path: &str) -> http::Request<Body> {
    let request = http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc");
    request.body(Body::empty()).unwrap()
}

/// Asserts that the only span was current in all of these places.
async fn assert_seen(telemetry: &Telemetry, looks: &Looks, places: &[&'static str]) {
    let [span] = telemetry.ended().await;
    let id = span.span_context.span_id();
    let expected: Vec<_> = places.iter().map(|place| (*place, id)).collect();
    assert_eq!(*looks.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_service_of_routes_is_called_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let routes = Routes::new(looks.clone()).prepare();
    let mut request = request("/test.Looks/Any");
    request.extensions_mut().insert(Dropped(looks.clone()));
    let service = telemetry.server().layer(routes);
    service.oneshot(request).await.unwrap();
    assert_seen(&telemetry, &looks, &["poll_ready", "call", "drop"]).await;
}

#[tokio::test]
async fn a_service_alone_is_called_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let mut service = telemetry.server().layer(looks.clone());
    service.call(request("/test.Looks/Any")).await.unwrap();
    assert_seen(&telemetry, &looks, &["call"]).await;
}

#[tokio::test]
async fn a_call_of_routes_that_is_never_polled_is_dropped_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let mut request = request("/test.Looks/Any");
    request.extensions_mut().insert(Dropped(looks.clone()));
    let mut service = telemetry.server().layer(Routes::new(looks.clone()));
    drop(service.call(request));
    assert_seen(&telemetry, &looks, &["drop"]).await;
}

/// Calls what this serves over a socket, and asserts that it is called in the span.
async fn assert_called(
    telemetry: &Telemetry,
    looks: &Looks,
    serve: impl AsyncFnOnce(TcpIncoming) -> Result<(), tonic::transport::Error> + 'static,
) {
    let (addr, incoming) = listen().await;
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let calling = endpoint.connect_lazy().oneshot(request("/test.Looks/Any"));
    tokio::select! {
        served = serve(incoming) => panic!("{served:?}"),
        called = soon(calling) => drop(called.unwrap()),
    }
    assert_seen(telemetry, looks, &["poll_ready", "call"]).await;
}

#[tokio::test]
async fn a_service_of_a_server_is_called_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let mut server = Server::builder().layer(telemetry.server());
    let serving = server.add_service(looks.clone());
    let serve = async |incoming| serving.serve_with_incoming(incoming).await;
    assert_called(&telemetry, &looks, serve).await;
}

#[tokio::test]
async fn a_service_below_another_layer_is_called_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let server = Server::builder().layer(telemetry.server());
    let serving = server.layer(Identity::new()).add_service(looks.clone());
    let serve = async |incoming| serving.serve_with_incoming(incoming).await;
    assert_called(&telemetry, &looks, serve).await;
}

#[tokio::test]
async fn what_the_routes_fall_back_to_is_called_in_the_span() {
    let (telemetry, looks) = (Telemetry::new(), Looks::default());
    let mut routes = Routes::default();
    let router = routes.axum_router_mut();
    *router = std::mem::take(router).fallback_service(looks.clone());
    let mut server = Server::builder().layer(telemetry.server());
    let serving = server.add_routes(routes);
    let serve = async |incoming| serving.serve_with_incoming(incoming).await;
    assert_called(&telemetry, &looks, serve).await;
}
