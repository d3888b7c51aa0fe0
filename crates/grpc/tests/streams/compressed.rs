//! Messages over a real socket, compressed or not, as tonic's own codec cuts them.

use crate::{counts, ended};
use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Layer, service_fn};

const MESSAGES: i64 = 300;

fn codec() -> ProstCodec<Bytes, Bytes> {
    ProstCodec::default()
}

/// Answers every message twice.
async fn twice(request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    let twice = service_fn(async |request: Request<Streaming<Bytes>>| {
        let replies = request
            .into_inner()
            .flat_map(|m| stream::iter([m.clone(), m]));
        Ok::<_, Status>(Response::new(replies.boxed()))
    });
    let mut server = tonic::server::Grpc::new(codec())
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    Ok(server.streaming(twice, request).await)
}

#[tokio::test]
async fn messages_count_as_tonic_sends_them() {
    for compresses in [false, true] {
        let log = SpanLog::default();
        let provider = log.provider();
        let server = ServerLayer::with_semantics(Grpc::new().with_message_counts())
            .with_tracer_provider(&provider)
            .with_propagation(Propagation::w3c());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = server.layer(service_fn(twice));
        let serving = Server::builder().serve_with_incoming(service, TcpIncoming::from(listener));
        let serving = tokio::spawn(serving);
        let client = ClientLayer::with_semantics(Grpc::new().with_message_counts())
            .with_tracer_provider(&provider)
            .with_propagation(Propagation::w3c());
        let channel = client.layer(Endpoint::from_shared(endpoint).unwrap().connect_lazy());
        let mut client = tonic::client::Grpc::new(channel);
        if compresses {
            client = client.accept_compressed(Gzip).send_compressed(Gzip);
        }
        client.ready().await.unwrap();
        let messages = (0..MESSAGES).map(|n| Bytes::from(vec![b'm'; n as usize * 50]));
        let messages: Vec<_> = messages.collect();
        let request = Request::new(stream::iter(messages));
        let path = "/test.Streams/Twice".parse().unwrap();
        let replies = client.streaming(request, path, codec()).await.unwrap();
        let encoding = replies.metadata().get("grpc-encoding").cloned();
        assert_eq!(encoding.is_some(), compresses, "{encoding:?}");
        let count = replies.into_inner().count().await;
        assert_eq!(count as i64, 2 * MESSAGES);
        for span in ended(&log).await {
            assert_eq!(counts(&span), [Some(MESSAGES), Some(2 * MESSAGES)]);
        }
        serving.abort();
    }
}
