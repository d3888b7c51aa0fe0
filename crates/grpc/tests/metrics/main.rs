//! Durations as metrics: what they are called, their attributes, and that they are those of the
//! spans.
#![cfg(feature = "metrics")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod durations;
mod meter;
mod methods;

use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_http::engine::Custom;
use http_body_util::BodyExt;
use meter::Meter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::convert::Infallible;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt, service_fn};

/// Both layers around a handler: what they measure of its calls.
struct Bench {
    meter: Meter,
    server: ServerLayer<Custom<Grpc>>,
    client: ClientLayer<Custom<Grpc>>,
}

impl Bench {
    fn new(provider: &SdkTracerProvider) -> Self {
        let meter = Meter::default();
        let server = ServerLayer::new()
            .with_tracer_provider(provider)
            .with_propagation(Propagation::w3c())
            .with_meter_provider(&meter.provider);
        let client = ClientLayer::new()
            .with_tracer_provider(provider)
            .with_propagation(Propagation::w3c())
            .with_meter_provider(&meter.provider);
        Self {
            meter,
            server,
            client,
        }
    }

    /// Calls a method that is answered with this code.
    async fn call(&self, method: &str, code: Code) {
        let answer = service_fn(move |_: http::Request<Body>| {
            let response = match code {
                Code::Ok => stream(),
                code => Status::new(code, "as told").into_http(),
            };
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let service = self.client.clone().layer(self.server.clone().layer(answer));
        let request = http::Request::post(format!("http://backend:8080/{method}"))
            .header("content-type", "application/grpc")
            .body(Body::empty());
        let response = service.oneshot(request.unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
}

/// A message, and `OK` in the trailers.
fn stream() -> http::Response<Body> {
    let message = http_body_util::Full::new(Bytes::from_static(&[0; 5]));
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )]);
    let trailers = std::future::ready(Some(Ok(trailers)));
    let body = Body::new(message.with_trailers(trailers));
    let response = http::Response::builder().header("content-type", "application/grpc");
    response.body(body).unwrap()
}
