//! How many allocations a call costs, over etcd-client alone.
//!
//! The channel answers at once, with what etcd answers, so that nothing of a connection counts.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_etcd::{Client, ClientBuilder};
use etcd_client::Channel;
use futures_util::FutureExt;
use futures_util::future::{Ready, ready};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::Context;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::collections::BTreeMap;
use std::future::ready as done;
use std::task::{self, Poll};
use tonic::body::Body;
use tower::BoxError;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

/// Empty responses; that to a transaction has two of puts in it.
#[derive(Clone)]
struct Answers;

impl Service<Request<Body>> for Answers {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // `succeeded`, and twice a `ResponseOp` with an empty `PutResponse`.
        const TXN: &[u8] = &[0, 0, 0, 0, 10, 0x10, 1, 0x1a, 2, 0x12, 0, 0x1a, 2, 0x12, 0];
        let message = match request.uri().path() {
            "/etcdserverpb.KV/Txn" => TXN,
            _ => &[0; 5],
        };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = Full::new(Bytes::from_static(message));
        let body = Body::new(body.with_trailers(done(Some(Ok(trailers)))));
        let response = Response::builder().header("content-type", "application/grpc");
        ready(Ok(response.body(body).unwrap()))
    }
}

fn channel() -> Channel {
    Channel::Custom(BoxCloneSyncService::new(Answers))
}

/// The allocations of a get and of a put, below this caller.
fn allocations(mut etcd: etcd_client::Client, caller: &Context) -> [u64; 2] {
    let mut get = || {
        let _current = caller.clone().attach();
        let call = etcd.get("instances/1", None).now_or_never();
        call.unwrap().unwrap();
    };
    let get = least(&mut get);
    let mut put = || {
        let _current = caller.clone().attach();
        let call = etcd.put("instances/1", "value", None).now_or_never();
        call.unwrap().unwrap();
    };
    [get, least(&mut put)]
}

/// After others have made what is made once.
fn least(call: &mut impl FnMut()) -> u64 {
    let counts = (0..4).map(|_| measure(&mut *call).count_total);
    counts.min().unwrap_or_default()
}

fn below(flags: &str) -> Context {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let fields = [("traceparent".to_owned(), format!("00-{ids}-{flags}"))];
    Propagation::w3c().extract(&Context::new(), &BTreeMap::from(fields))
}

fn added(builder: ClientBuilder, caller: &Context) -> [u64; 2] {
    let plain = etcd_client::Client::from_channel(channel(), None);
    let [get, put] = allocations(plain.now_or_never().unwrap().unwrap(), caller);
    let builder = builder.with_propagation(Propagation::w3c());
    let traced = builder.connect_channel(channel(), None);
    let traced = traced.now_or_never().unwrap().unwrap().into_inner();
    let [traced_get, traced_put] = allocations(traced, caller);
    [traced_get - get, traced_put - put]
}

#[test]
fn calls_cost_few_allocations() {
    let without_sdk = || Client::builder().with_tracer_provider(&NoopTracerProvider::new());
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .build();
    let traced = || Client::builder().with_tracer_provider(&provider);
    let alone = |builder: ClientBuilder| builder.without_companions();

    // The future and the body of the response, in boxes that etcd-client asks for.
    assert_eq!(added(without_sdk(), &Context::new())[0], 2);
    assert_eq!(added(alone(without_sdk()), &Context::new()), [2, 2]);
    // The context that passes through.
    assert_eq!(added(alone(without_sdk()), &below("01")), [3, 3]);
    // Another context, with an id of its own.
    assert_eq!(added(alone(traced()), &below("00")), [4, 4]);
    // The span in its box, and what holds that; the attributes; the call.
    assert_eq!(added(alone(traced()), &below("01")), [7, 7]);
    // A put is made a transaction, whose answer is read.
    assert_eq!(added(traced(), &below("01")), [7, 36]);
    // The box around the body that was looked into, the share of it, and that of the template.
    let named = traced().with_key_templates(["instances/*"]);
    assert_eq!(added(alone(named), &below("01")), [10, 10]);
}
