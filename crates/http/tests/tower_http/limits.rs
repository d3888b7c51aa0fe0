//! Limits and queues of a server.

use crate::telemetry::{Telemetry, attribute, ending};
use crate::{BoxError, Server, client, soon};
use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use bytes::Bytes;
use futures_util::poll;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

async fn overloaded(_: BoxError) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

/// A route that is busy until it may answer.
struct Busy {
    started: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

impl Busy {
    fn new() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        let (started, may_answer) = (none(), none());
        Self {
            started,
            may_answer,
        }
    }

    fn router(&self) -> Router {
        let (started, may_answer) = (self.started.clone(), self.may_answer.clone());
        let handler = async move || {
            started.add_permits(1);
            may_answer.acquire().await.unwrap().forget();
        };
        Router::new().route("/", get(handler))
    }

    /// Sends a request while another one is served, and gives its status.
    async fn second(&self, app: Router) -> StatusCode {
        // A router without its state lays its layers anew for each request.
        let server = Server::start(app.with_state::<()>(())).await;
        let get = || {
            let request = Request::get(format!("http://{}/", server.addr));
            client().request(request.body(Full::<Bytes>::default()).unwrap())
        };
        let first = tokio::spawn(get());
        soon(self.started.acquire()).await.unwrap().forget();
        let second = soon(get()).await.unwrap().status();
        self.may_answer.add_permits(1);
        let first = soon(first).await.unwrap().unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        second
    }
}

#[tokio::test]
async fn a_request_that_is_shed_outside_makes_no_span() {
    let (telemetry, busy) = (Telemetry::new(), Busy::new());
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .concurrency_limit(1)
        .layer(telemetry.axum());
    let status = busy.second(busy.router().layer(stack)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "complete");
}

#[tokio::test]
async fn a_request_that_is_shed_inside_fails_its_span() {
    // The status is known where the error became a response.
    for (handles_inside, expected) in [(true, "failed:503"), (false, "failed:_OTHER")] {
        let (telemetry, busy) = (Telemetry::new(), Busy::new());
        let handle = HandleErrorLayer::new(overloaded);
        let shed = ServiceBuilder::new().load_shed().concurrency_limit(1);
        let (ours, router) = (telemetry.axum(), busy.router());
        let app = match handles_inside {
            true => router.layer(ServiceBuilder::new().layer(ours).layer(handle).layer(shed)),
            false => router.layer(ServiceBuilder::new().layer(handle).layer(ours).layer(shed)),
        };
        let status = busy.second(app).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let [shed, served] = telemetry.ended().await;
        assert_eq!(ending(&shed), expected);
        let status = attribute(&shed, "http.response.status_code");
        assert_eq!(status, handles_inside.then(|| 503.into()));
        assert_eq!(ending(&served), "complete");
    }
}

#[tokio::test]
async fn waiting_for_a_limit_is_no_part_of_a_span() {
    let telemetry = Telemetry::new();
    let service = ServiceBuilder::new()
        .layer(telemetry.server())
        .concurrency_limit(1)
        .service(service_fn(async |_: Request<()>| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
    let (mut first, mut second) = (service.clone(), service);
    let call = first.ready().await.unwrap().call(Request::new(()));
    assert!(poll!(second.ready()).is_pending());
    drop(second);
    call.await.unwrap();
    telemetry.ended::<1>().await;
}

/// The current span where the service is called, and where its future runs.
type Places = Arc<Mutex<Vec<SpanId>>>;

fn noting(
    places: &Places,
) -> impl Service<
    Request<()>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Send
+ use<> {
    let places = places.clone();
    let note = move || {
        let id = Context::current().span().span_context().span_id();
        places.lock().unwrap().push(id);
    };
    service_fn(move |_| {
        note();
        let note = note.clone();
        async move {
            note();
            Ok(Response::new(Body::empty()))
        }
    })
}

#[tokio::test]
async fn a_buffer_keeps_the_context_of_what_is_polled() {
    for is_outside in [true, false] {
        let (telemetry, places) = (Telemetry::new(), Places::default());
        let ours = telemetry.server();
        let request = Request::new(());
        if is_outside {
            let service = ServiceBuilder::new().buffer(1).layer(ours);
            let service = service.service(noting(&places));
            soon(service.oneshot(request)).await.unwrap();
        } else {
            let service = ours.layer(ServiceBuilder::new().buffer(1).service(noting(&places)));
            soon(service.oneshot(request)).await.unwrap();
        }
        let [span] = telemetry.ended().await;
        assert_eq!(ending(&span), "complete");
        let id = span.span_context.span_id();
        // The task of the buffer calls what is inside of it.
        let expected = [if is_outside { id } else { SpanId::INVALID }, id];
        assert_eq!(*places.lock().unwrap(), expected, "outside: {is_outside}");
    }
}
