//! Spans over real sockets: names, kinds, parents, attributes and endings.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod bench;
mod calls;
mod cancellation;
mod concurrency;
mod echo;
mod endings;
mod foreign;
mod routes;
mod services;
mod statuses;
mod telemetry;
mod timeouts;
mod transport;

use bench::{Bench, scripted};
use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc, status};
use dynamo_trace_http::engine::{Custom, Trace};
use echo::{codec, listen};
use http::uri::PathAndQuery;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, IntoRequest, Request, Response, Status, Streaming};

/// A client of `test.Echo`.
type EchoClient = tonic::client::Grpc<Trace<Channel, ClientLayer<Custom<Grpc>>>>;

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
