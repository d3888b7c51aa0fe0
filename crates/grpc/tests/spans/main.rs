//! Spans over real sockets: names, kinds, parents, attributes and endings.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod calls;
mod cancellation;
mod concurrency;
mod echo;
mod foreign;
mod services;
mod telemetry;
mod transport;

use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc, status};
use dynamo_trace_http::engine::{Custom, Trace};
use echo::{Echo, Replies, Reply, codec, listen};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use telemetry::Telemetry;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, IntoRequest, Request, Response, Status, Streaming};
use tower::Layer;

/// A client of `test.Echo`.
type EchoClient = tonic::client::Grpc<Trace<Channel, ClientLayer<Custom<Grpc>>>>;

/// Client and server of one test.
struct Bench {
    telemetry: Telemetry,
    addr: SocketAddr,
    /// The server runs a script that hangs.
    hangs: Arc<Notify>,
    serving: JoinHandle<()>,
}

impl Bench {
    async fn start() -> Self {
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

    fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addr));
        endpoint.unwrap().connect_lazy()
    }

    fn client(&self) -> EchoClient {
        tonic::client::Grpc::new(self.telemetry.client().layer(self.channel()))
    }

    /// The spans of one call: the client's and the server's.
    async fn ended(&self) -> [SpanData; 2] {
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
fn scripted(hangs: Arc<Notify>) -> Echo {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unary,
    Server,
    Client,
    Both,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Unary, Self::Server, Self::Client, Self::Both];

    fn method(self) -> String {
        format!("test.Echo/{self:?}")
    }

    fn path(self) -> PathAndQuery {
        format!("/{}", self.method()).parse().unwrap()
    }

    /// Calls with this script, and reads all replies.
    async fn call(
        self,
        client: &mut EchoClient,
        script: impl IntoRequest<&'static str>,
    ) -> Result<usize, Status> {
        soon(client.ready()).await.unwrap();
        let script = script
            .into_request()
            .map(|script| Bytes::from_static(script.as_bytes()));
        let path = self.path();
        let call = async {
            match self {
                Self::Unary => client.unary(script, path, codec()).await.map(|_| 1),
                Self::Client => {
                    let scripts = script.map(|script| futures_util::stream::iter([script]));
                    let reply = client.client_streaming(scripts, path, codec()).await;
                    reply.map(|_| 1)
                }
                Self::Server => {
                    let replies = client.server_streaming(script, path, codec()).await;
                    count(replies?).await
                }
                Self::Both => {
                    let scripts = script.map(|script| futures_util::stream::iter([script]));
                    let replies = client.streaming(scripts, path, codec()).await;
                    count(replies?).await
                }
            }
        };
        soon(call).await
    }
}

async fn count(replies: Response<Streaming<Bytes>>) -> Result<usize, Status> {
    let mut replies = replies.into_inner();
    let mut count = 0;
    while replies.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn request(script: &'static str) -> Request<&'static str> {
    Request::new(script)
}

/// The code's name in the semantic conventions.
fn name(code: Code) -> Option<String> {
    Some(status::name(code).to_owned())
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(20), future);
    limit.await.expect("nothing happened for 20 s")
}
