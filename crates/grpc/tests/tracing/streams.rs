//! A service whose replies are made in spans of `tracing`.

use crate::echo::{Echo, Replies, Reply, codec, listen};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc};
use dynamo_trace_http::engine::{Custom, Trace};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Server};
use tower::Layer;
use tracing::{Instrument, info_span};

type EchoClient = tonic::client::Grpc<Trace<Channel, ClientLayer<Custom<Grpc>>>>;

/// A server, which goes when this is dropped.
pub(crate) struct Serving(SocketAddr, JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.1.abort();
    }
}

pub(crate) async fn serve(telemetry: &Telemetry, echo: Echo) -> Serving {
    let (addr, incoming) = listen().await;
    let mut server = Server::builder().layer(telemetry.server());
    let serving = server.add_service(echo).serve_with_incoming(incoming);
    Serving(addr, tokio::spawn(async { serving.await.unwrap() }))
}

pub(crate) fn client(telemetry: &Telemetry, server: &Serving) -> EchoClient {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.0)).unwrap();
    tonic::client::Grpc::new(telemetry.client().layer(endpoint.connect_lazy()))
}

/// Calls, and reads all replies.
pub(crate) async fn call(mut client: EchoClient, method: &'static str) -> Bytes {
    let call = async {
        client.ready().await.unwrap();
        let (path, request) = (
            PathAndQuery::from_static(method),
            Request::new(Bytes::new()),
        );
        let replies = client.server_streaming(request, path, codec()).await;
        let mut replies = replies.unwrap().into_inner();
        let mut read = Vec::new();
        while let Some(reply) = replies.message().await.unwrap() {
            read.extend(reply);
        }
        read.into()
    };
    let limit = tokio::time::timeout(Duration::from_secs(20), call);
    limit.await.expect("no reply for 20 s")
}

/// Two replies, each made in a span.
pub(crate) fn streams() -> Echo {
    Echo::new(|_| {
        let replies = futures_util::stream::iter(["one", "two"]).then(|reply| {
            let makes = async move {
                tokio::task::yield_now().await;
                Reply::Ok(Bytes::from_static(reply.as_bytes()))
            };
            makes.instrument(info_span!("reply"))
        });
        replies.boxed() as Replies
    })
}

pub(crate) fn of_kind(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    spans.iter().find(|span| span.span_kind == kind).unwrap()
}
