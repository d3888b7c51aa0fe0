//! How many allocations a layer adds to a call, over the bare routes.
//!
//! One test: what is global changes on the way.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use bytes::Bytes;
use dynamo_trace_core::{Instrumentation, Propagation};
use dynamo_trace_grpc::{Grpc, ServerLayer};
use futures_util::future::{Ready, ready};
use futures_util::{FutureExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::convert::Infallible;
use std::fmt::Debug;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::{Layer, Service};

const MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
const MESSAGES: usize = 1000;

/// Answers one method with a message, any other with many.
#[derive(Clone)]
struct Counts;

impl NamedService for Counts {
    const NAME: &'static str = "test.Counts";
}

impl Service<Request<Body>> for Counts {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let count = match request.uri().path() {
            "/test.Counts/One" => 1,
            _ => MESSAGES,
        };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let trailers = std::iter::once_with(|| Frame::trailers(trailers));
        let frames = std::iter::repeat_with(|| Frame::data(MESSAGE)).take(count);
        let frames = frames.chain(trailers).map(Ok::<_, Status>);
        let response = Response::builder().header("content-type", "application/grpc");
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        ready(Ok(response.body(body).unwrap()))
    }
}

fn routes() -> Routes {
    Routes::new(Counts).prepare()
}

fn request(path: &str, flags: &str) -> Request<Body> {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let request = Request::post(format!("http://api.example.com:50051{path}"))
        .header("content-type", "application/grpc")
        .header("traceparent", format!("00-{ids}-{flags}"));
    request.body(Body::new(Full::new(MESSAGE))).unwrap()
}

/// The allocations of one call, after others have made what is made once.
fn allocations<S, B>(service: &mut S, path: &str, flags: &str) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body<Error: Debug> + Unpin,
{
    let mut run = || {
        let request = request(path, flags);
        let info = measure(|| {
            let response = service.call(request).now_or_never().unwrap().unwrap();
            let mut body = response.into_body();
            while let Some(frame) = body.frame().now_or_never().unwrap() {
                frame.unwrap();
            }
        });
        info.count_total
    };
    (0..3).map(|_| run()).min().unwrap_or_default()
}

/// Of a unary call, and of one whose messages cost none.
fn added<S, B>(mut service: S, flags: &str) -> [u64; 2]
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body<Error: Debug> + Unpin,
{
    ["/test.Counts/One", "/test.Counts/Many"].map(|path| {
        allocations(&mut service, path, flags) - allocations(&mut routes(), path, flags)
    })
}

#[test]
fn a_call_costs_few_allocations_and_a_message_none() {
    let traced = || ServerLayer::new().layer(routes());
    // The context that passes through.
    assert_eq!(added(traced(), "01"), [1, 1]);

    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .build();
    Instrumentation::set_global_tracer_provider(provider).unwrap();
    Propagation::w3c().set_global().unwrap();
    // Another context, with an id of its own.
    assert_eq!(added(traced(), "00"), [2, 2]);
    // The span in its box, and what holds that; the attributes; the call.
    assert_eq!(added(traced(), "01"), [5, 5]);
    // The count of the request's messages, and the box around its body.
    let counting = ServerLayer::with_semantics(Grpc::new().with_message_counts());
    assert_eq!(added(counting.layer(routes()), "01"), [7, 7]);
}
