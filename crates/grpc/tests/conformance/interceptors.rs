use crate::echo::{codec, listen};
use bytes::Bytes;
use dynamo_trace_grpc::{ClientInterceptor, ServerInterceptor};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use opentelemetry::Context;
use opentelemetry::trace::FutureExt;
use std::convert::Infallible;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tower::service_fn;

struct Interceptors {
    channel: Channel,
    client: InterceptedService<Channel, ClientInterceptor>,
    serving: JoinHandle<()>,
}

/// A handler that runs in the context that the interceptor left for it.
async fn handle(mut request: Request<Bytes>, work: Work) -> Result<Response<Bytes>, Status> {
    let caller = request.extensions_mut().remove::<Context>().unwrap();
    let working = work.run(request.into_inner()).with_context(caller);
    let reply = working.await;
    reply
        .map(Response::new)
        .map_err(|error| Status::internal(error.to_string()))
}

impl Harness for Interceptors {
    const TRAITS: Traits = Traits {
        replies: true,
        spans: 0,
        // HTTP/2 has lowercase names only.
        case_insensitive: false,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let service = service_fn(move |request: http::Request<Body>| {
            let work = work.clone();
            async move {
                let handler = service_fn(|request| handle(request, work.clone()));
                let mut server = tonic::server::Grpc::new(codec());
                Ok::<_, Infallible>(server.unary(handler, request).await)
            }
        });
        let interceptor = ServerInterceptor::new().with_propagation(handles.propagation.clone());
        let service = InterceptedService::new(service, interceptor);
        let (addr, incoming) = listen().await;
        let serving = Server::builder()
            .http2_max_header_list_size(64 * 1024)
            .serve_with_incoming(service, incoming);
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let channel = endpoint.connect_lazy();
        let interceptor = ClientInterceptor::new().with_propagation(handles.propagation);
        Self {
            client: InterceptedService::new(channel.clone(), interceptor),
            channel,
            serving: tokio::spawn(async { serving.await.unwrap() }),
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        crate::send(self.client.clone(), payload).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        crate::send_raw(self.channel.clone(), fields, payload).await
    }

    /// The connection goes with the channel.
    async fn stop(self) {
        self.serving.abort();
        assert!(self.serving.await.is_err_and(|error| error.is_cancelled()));
    }
}

dynamo_trace_testkit::conformance_tests!(Interceptors);
