//! A service without generated code: messages are `google.protobuf.BytesValue`.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

pub(crate) type Reply = Result<Bytes, Status>;
pub(crate) type Replies = BoxStream<'static, Reply>;

/// How a message is answered: by a stream, whose first item answers a unary call.
type Answer = dyn Fn(Bytes) -> Replies + Send + Sync;

pub(crate) fn codec() -> ProstCodec<Bytes, Bytes> {
    ProstCodec::default()
}

/// `test.Echo`, with a method of each kind: `Unary`, `Server`, `Client`, `Both`.
#[derive(Clone)]
pub(crate) struct Echo(Arc<Answer>);

impl Echo {
    pub(crate) fn new(answer: impl Fn(Bytes) -> Replies + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

/// The answers to all messages, one after another.
fn all(answer: &Arc<Answer>, request: Request<Streaming<Bytes>>) -> Replies {
    let answer = answer.clone();
    let replies = request.into_inner().flat_map(move |message| match message {
        Ok(message) => answer(message),
        Err(status) => futures_util::stream::iter([Err(status)]).boxed(),
    });
    replies.boxed()
}

async fn last(mut replies: Replies) -> Result<Response<Bytes>, Status> {
    let mut last = Bytes::new();
    while let Some(reply) = replies.next().await {
        last = reply?;
    }
    Ok(Response::new(last))
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(codec());
            Ok(match request.uri().path() {
                "/test.Echo/Unary" => {
                    let unary = service_fn(|r: Request<Bytes>| last(answer(r.into_inner())));
                    grpc.unary(unary, request).await
                }
                "/test.Echo/Server" => {
                    let streams = service_fn(async |r: Request<Bytes>| {
                        Ok(Response::new(answer(r.into_inner())))
                    });
                    grpc.server_streaming(streams, request).await
                }
                "/test.Echo/Client" => {
                    let collects = service_fn(|r| last(all(&answer, r)));
                    grpc.client_streaming(collects, request).await
                }
                "/test.Echo/Both" => {
                    let both = service_fn(async |r| Ok(Response::new(all(&answer, r))));
                    grpc.streaming(both, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A free port, and what accepts there.
pub(crate) async fn listen() -> (SocketAddr, TcpIncoming) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (addr, TcpIncoming::from(listener).with_nodelay(Some(true)))
}
