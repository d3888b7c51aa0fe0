use crate::echo::{Echo, listen};
use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Server};
use tower::Layer;

struct Layers {
    channel: Channel,
    client: Trace<Channel, ClientLayer<Custom<Grpc>>>,
    serving: JoinHandle<()>,
}

impl Harness for Layers {
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

dynamo_trace_testkit::conformance_tests!(Layers);
