//! What tower expects of a layer and a service.

use crate::telemetry::{Telemetry, ending};
use crate::{BoxError, Protocol, Server};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use dynamo_trace_http::engine::{Custom, ResponseBody, ResponseFuture, Trace};
use dynamo_trace_http::{ClientLayer, Http, ServerLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

/// Panics unless it was ready before each call, and is not ready at first.
#[derive(Debug, Default)]
struct Strict {
    polls: usize,
    ready: bool,
}

/// A clone is not ready, whatever the original is.
impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.polls += 1;
        self.ready = self.polls > 2;
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        self.polls = 0;
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_service_inside_is_called_only_when_ready() {
    let telemetry = Telemetry::new();
    let mut server = telemetry.server().layer(Strict::default());
    for _ in 0..3 {
        let ready = server.ready().await.unwrap();
        ready.call(Request::default()).await.unwrap();
    }
    // As a client would be stacked.
    let mut client = ServiceBuilder::new()
        .concurrency_limit(1)
        .layer(telemetry.client())
        .concurrency_limit(1)
        .service(Strict::default());
    for _ in 0..3 {
        let ready = client.ready().await.unwrap();
        ready.call(Request::default()).await.unwrap();
    }
    telemetry.ended::<6>().await;
}

#[tokio::test]
async fn an_error_of_poll_ready_makes_no_span() {
    #[derive(Clone)]
    struct Closed;
    impl Service<Request<Body>> for Closed {
        type Response = Response<Body>;
        type Error = BoxError;
        type Future = Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("closed".into()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            panic!("called though it is closed")
        }
    }
    let telemetry = Telemetry::new();
    let client = telemetry.client().layer(Closed);
    let error = client.oneshot(Request::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "closed");
    telemetry.ended::<0>().await;
}

#[tokio::test]
async fn it_stacks_with_other_layers() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/", get(async || "done")).layer(
        ServiceBuilder::new()
            .layer(telemetry.axum())
            .map_response(axum::response::IntoResponse::into_response),
    );
    let server = Server::start(app).await;
    assert_eq!(Protocol::Http1.get(&server, "/").await, "done");

    let client = ServiceBuilder::new()
        .boxed_clone_sync()
        .layer(telemetry.client())
        .timeout(Duration::from_secs(60))
        .service(Protocol::Http1.client());
    let client: BoxCloneSyncService<Request<Full<Bytes>>, _, BoxError> = client;
    let request = Request::get(format!("http://{}/", server.addr));
    let request = request.body(Full::default()).unwrap();
    drop(client.oneshot(request).await.unwrap());
    let spans = telemetry.all_ended(3).await;
    for span in &spans {
        assert_eq!(ending(span), "complete", "{}", span.name);
    }
}

#[test]
fn the_types_are_what_tower_and_hyper_ask_for() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<ServerLayer>();
    shared::<ServerLayer<Custom<Http>>>();
    shared::<ClientLayer>();
    shared::<Trace<Strict, ClientLayer>>();
    sent::<ResponseFuture<Ready<Result<Response<Body>, Infallible>>, ServerLayer>>();
    sent::<ResponseBody<Body, ServerLayer<Custom<Http>>>>();
}

#[tokio::test]
async fn a_layer_inside_of_another_is_its_child() {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route("/inner", get(async || "hello"))
        .layer(telemetry.axum())
        .layer(telemetry.axum());
    let request = Request::get("/inner")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .body(axum::body::Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let [inner, outer] = telemetry.ended().await;
    assert_eq!(outer.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
}
