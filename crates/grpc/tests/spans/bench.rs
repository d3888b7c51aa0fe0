use crate::EchoClient;
use crate::echo::{Echo, Replies, Reply, listen};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Layer, service_fn};

/// Client and server of one test.
pub(crate) struct Bench {
    pub(crate) telemetry: Telemetry,
    pub(crate) addr: SocketAddr,
    /// The server runs a script that hangs.
    pub(crate) hangs: Arc<Notify>,
    serving: JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let (telemetry, hangs) = (Telemetry::new(), Arc::new(Notify::new()));
        let echo = scripted(hangs.clone());
        let (addr, incoming) = listen().await;
        let mut server = Server::builder().layer(telemetry.server());
        let serving = server.add_service(echo).serve_with_incoming(incoming);
        Self {
            serving: tokio::spawn(async { serving.await.unwrap() }),
            telemetry,
            addr,
            hangs,
        }
    }

    /// Answers every request so, under a server that is set up like this.
    pub(crate) async fn answering<A, F>(server: Server, answer: A) -> Self
    where
        A: Fn(http::Request<Body>, Arc<Notify>) -> F + Clone + Send + 'static,
        F: Future<Output = http::Response<Body>> + Send + 'static,
    {
        let (telemetry, hangs) = (Telemetry::new(), Arc::new(Notify::new()));
        let (addr, incoming) = listen().await;
        let told = hangs.clone();
        let service = service_fn(move |r| answer(r, told.clone()).map(Ok::<_, Infallible>));
        let serving = server.serve_with_incoming(telemetry.server().layer(service), incoming);
        Self {
            serving: tokio::spawn(async { serving.await.unwrap() }),
            telemetry,
            addr,
            hangs,
        }
    }

    pub(crate) fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addr));
        endpoint.unwrap().connect_lazy()
    }

    pub(crate) fn client(&self) -> EchoClient {
        tonic::client::Grpc::new(self.telemetry.client().layer(self.channel()))
    }

    /// The spans of one call: the client's and the server's.
    pub(crate) async fn ended(&self) -> [SpanData; 2] {
        let mut spans = self.telemetry.ended::<2>().await;
        spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
        spans
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Messages are scripts of words: `send` sends one reply, `fail:{code}` ends with a status,
/// `hang` never ends, `panic` panics.
pub(crate) fn scripted(hangs: Arc<Notify>) -> Echo {
    Echo::new(move |script| {
        let hangs = hangs.clone();
        let words = String::from_utf8(script.to_vec()).unwrap();
        let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
        let replies = futures_util::stream::iter(words).then(move |word| run(word, hangs.clone()));
        replies.boxed() as Replies
    })
}

async fn run(word: String, hangs: Arc<Notify>) -> Reply {
    match word.split_once(':') {
        Some(("fail", code)) => Err(Status::new(Code::from_bytes(code.as_bytes()), "as told")),
        None if word == "send" => Ok(Bytes::from_static(b"reply")),
        None if word == "hang" => {
            hangs.notify_one();
            std::future::pending().await
        }
        None if word == "panic" => panic!("as told"),
        _ => Err(Status::invalid_argument(word)),
    }
}

/// Never answers.
pub(crate) async fn hang(_: http::Request<Body>, hangs: Arc<Notify>) -> http::Response<Body> {
    hangs.notify_one();
    std::future::pending().await
}
