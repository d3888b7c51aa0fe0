//! The conformance suite, over tonic's server and channel.
#![expect(
    clippy::unwrap_used,
    reason = "a harness that does not start fails its test"
)]

#[path = "spans/echo.rs"]
mod echo;

use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use echo::{Echo, codec, listen};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Extensions, Request, Status};
use tower::Layer;

const UNARY: PathAndQuery = PathAndQuery::from_static("/test.Echo/Unary");

struct Unary {
    channel: Channel,
    client: Trace<Channel, ClientLayer<Custom<Grpc>>>,
    serving: JoinHandle<()>,
}

impl Harness for Unary {
    const TRAITS: Traits = Traits {
        replies: true,
        // HTTP/2 has lowercase names only.
        case_insensitive: false,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let layer = ServerLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation.clone());
        let server = Echo::new(move |payload| {
            let work = work.clone();
            let working = async move {
                let reply = work.run(payload).await;
                reply.map_err(|error| Status::internal(error.to_string()))
            };
            futures_util::stream::once(working).boxed()
        });
        let (addr, incoming) = listen().await;
        let serving = Server::builder()
            .http2_max_header_list_size(64 * 1024)
            .layer(layer)
            .add_service(server)
            .serve_with_incoming(incoming);
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let channel = endpoint.connect_lazy();
        let client = ClientLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation);
        Self {
            client: client.layer(channel.clone()),
            channel,
            serving: tokio::spawn(async { serving.await.unwrap() }),
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let mut client = tonic::client::Grpc::new(self.client.clone());
        client.ready().await.map_err(|error| error.to_string())?;
        let request = Request::new(payload.clone());
        let reply = client.unary(request, UNARY, codec()).await;
        match reply.map(tonic::Response::into_inner) {
            Ok(reply) if reply == payload => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            // Names are lowercase in HTTP/2.
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(&value).map_err(|_| RawError::Unrepresentable)?;
            headers.append(name, value);
        }
        let metadata = MetadataMap::from_headers(headers);
        let request = Request::from_parts(metadata, Extensions::default(), payload);
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        let failed = |error: String| RawError::Failed(error);
        client.ready().await.map_err(|e| failed(e.to_string()))?;
        let reply = client.unary(request, UNARY, codec()).await;
        reply.map_err(|status| failed(status.to_string()))?;
        Ok(())
    }

    /// The connection goes with the channel.
    async fn stop(self) {
        self.serving.abort();
        assert!(self.serving.await.is_err_and(|error| error.is_cancelled()));
    }
}

dynamo_trace_testkit::conformance_tests!(Unary);
