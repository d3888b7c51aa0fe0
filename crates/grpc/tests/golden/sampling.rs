//! What a sampler sees: the attributes that a span is created with.

use crate::bench::{client_layer, server_layer};
use dynamo_trace_grpc::Grpc;
use http::{Request, Response};
use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

/// Takes down what it is asked about, and samples it.
#[derive(Clone, Debug, Default)]
struct Sampler(Arc<Mutex<Vec<String>>>);

impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let attributes = attributes
            .iter()
            .map(|kv| format!("{}={}", kv.key, kv.value));
        let attributes: Vec<_> = attributes.collect();
        let seen = format!("{kind:?} {name} {}", attributes.join(" "));
        self.0.lock().unwrap().push(seen);
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

#[tokio::test]
async fn a_sampler_sees_all_that_is_known_when_the_call_begins() {
    let sampler = Sampler::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler.clone())
        .build();
    let answer = service_fn(async |_: Request<Body>| {
        let response = Response::builder()
            .header("grpc-status", "0")
            .body(Body::empty());
        Ok::<_, Infallible>(response.unwrap())
    });
    let server = server_layer(&provider).layer(answer);
    let service = client_layer(&provider, Grpc::new()).layer(server);
    for _ in 0..2 {
        let request = Request::post("http://backend:8080/test.Golden/Sampled")
            .header("content-type", "application/grpc")
            .extension(dynamo_trace_http::PeerAddr(([10, 0, 0, 7], 4711).into()))
            .body(Body::empty());
        service.clone().oneshot(request.unwrap()).await.unwrap();
    }
    let client = "Client test.Golden/Sampled rpc.system.name=grpc rpc.method=test.Golden/Sampled \
        server.address=backend server.port=8080";
    let peer = "network.peer.address=10.0.0.7 network.peer.port=4711";
    let server = "server.address=backend server.port=8080";
    let seen = sampler.0.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            client.to_owned(),
            // Nobody has answered to it before.
            format!("Server test.Golden/Sampled rpc.system.name=grpc {peer} {server}"),
            client.to_owned(),
            format!(
                "Server test.Golden/Sampled rpc.system.name=grpc \
                 rpc.method=test.Golden/Sampled {peer} {server}"
            ),
        ]
    );
}
