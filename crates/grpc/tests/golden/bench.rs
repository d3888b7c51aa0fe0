use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_http::engine::{Custom, Trace};
use dynamo_trace_testkit::span_log::SpanLog;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Layer, service_fn};

pub(crate) type Client = tonic::client::Grpc<Trace<Channel, ClientLayer<Custom<Grpc>>>>;
pub(crate) type Answer = fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>>;

pub(crate) fn codec() -> ProstCodec<Bytes, Bytes> {
    ProstCodec::default()
}

/// Answers every method with its message.
pub(crate) fn echo(request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
    Box::pin(async {
        let same = service_fn(async |r: Request<Bytes>| Ok(Response::new(r.into_inner())));
        tonic::server::Grpc::new(codec()).unary(same, request).await
    })
}

/// Answers with the status whose code is the message, in the head.
pub(crate) fn refuse(request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
    Box::pin(async {
        let refuse = service_fn(async |r: Request<Bytes>| {
            let code = tonic::Code::from_bytes(r.get_ref());
            Err::<Response<Bytes>, _>(Status::new(code, "as told"))
        });
        let mut server = tonic::server::Grpc::new(codec());
        server.unary(refuse, request).await
    })
}

pub(crate) fn server_layer(provider: &SdkTracerProvider) -> ServerLayer<Custom<Grpc>> {
    ServerLayer::new()
        .with_tracer_provider(provider)
        .with_propagation(Propagation::w3c())
}

pub(crate) fn client_layer(
    provider: &SdkTracerProvider,
    semantics: Grpc,
) -> ClientLayer<Custom<Grpc>> {
    ClientLayer::with_semantics(semantics)
        .with_tracer_provider(provider)
        .with_propagation(Propagation::w3c())
}

/// A client and a server that answers any method.
pub(crate) struct Bench {
    pub(crate) log: SpanLog,
    pub(crate) addr: SocketAddr,
    provider: SdkTracerProvider,
    serving: JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn start(answer: Answer) -> Self {
        let log = SpanLog::default();
        let provider = log.provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = service_fn(move |r| answer(r).map(Ok::<_, Infallible>));
        let service = server_layer(&provider).layer(service);
        let serving = Server::builder().serve_with_incoming(service, TcpIncoming::from(listener));
        Self {
            serving: tokio::spawn(async { serving.await.unwrap() }),
            log,
            addr,
            provider,
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.addr)).unwrap()
    }

    /// One that was told its server.
    pub(crate) fn client(&self) -> Client {
        let semantics = Grpc::new().with_server(self.endpoint().uri());
        let layer = client_layer(&self.provider, semantics);
        tonic::client::Grpc::new(layer.layer(self.endpoint().connect_lazy()))
    }

    /// Calls a method with a message.
    pub(crate) async fn call(&self, method: &str, message: &str) -> Result<Bytes, Status> {
        let mut client = self.client();
        client.ready().await.unwrap();
        let path = format!("/{method}").parse().unwrap();
        let message = Bytes::copy_from_slice(message.as_bytes());
        let reply = client.unary(Request::new(message), path, codec()).await;
        reply.map(Response::into_inner)
    }

    /// The spans of the last call: the client's and the server's.
    pub(crate) async fn last_ended(&self, calls: usize) -> [SpanData; 2] {
        let mut spans = self.log.all_ended(2 * calls).await.split_off(2 * calls - 2);
        spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
        spans.try_into().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
