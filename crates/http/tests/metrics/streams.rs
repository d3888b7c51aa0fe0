//! A thousand streams at once over sockets, a tenth of them given up.

use crate::give_up::give_up;
use crate::serve::Server;
use crate::{Measured, soon};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};

const STREAMS: usize = 1_000;
/// Each gives up few enough for an HTTP/2 server not to take it for an attacker.
const CLIENTS: usize = 20;
/// A socket for each stream of HTTP/1.1, at both ends: as many as a process may have open.
const SOCKETS: usize = 200;
const CHUNKS: usize = 20;

/// Chunks that give way before each.
async fn tokens() -> Body {
    let stream = futures_util::stream::unfold(0, async |n| {
        tokio::task::yield_now().await;
        let frame = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"token")));
        (n < CHUNKS).then_some((frame, n + 1))
    });
    Body::new(StreamBody::new(stream))
}

fn client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

async fn run(http2: bool) {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let (at_server, at_client) = (Measured::new(), Measured::new());
    let app = Router::new()
        .route("/", get(tokens))
        .layer(at_server.axum(true));
    let server = Server::start(app).await;
    let layer = at_client.client().with_body();
    let clients: Vec<_> = (0..CLIENTS).map(|_| layer.layer(client(http2))).collect();
    let request = || {
        let request = Request::get(format!("http://{}/", server.addr));
        request.body(Full::<Bytes>::default()).unwrap()
    };
    // The connection must not be given up with the call that made it.
    for client in &clients {
        let response = soon(client.clone().oneshot(request())).await.unwrap();
        soon(response.collect()).await.unwrap();
    }
    let limit = if http2 { STREAMS } else { SOCKETS };
    let limit = Arc::new(Semaphore::new(limit));
    let mut calls = JoinSet::new();
    for number in 0..STREAMS {
        // One in ten is given up after as many polls.
        let polls = (number % 200 >= 180).then(|| random.random_range(0..40));
        let client = clients.iter().cycle().nth(number).unwrap().clone();
        let request = request();
        let limit = limit.clone();
        calls.spawn(async move {
            let _turn = limit.acquire_owned().await.unwrap();
            let whole = Box::pin(async move {
                let response = client.oneshot(request).await.unwrap();
                response.collect().await.unwrap().to_bytes().len()
            });
            match polls {
                None => Some(whole.await),
                Some(polls) => give_up(whole, polls).await,
            }
        });
    }
    let mut complete = CLIENTS;
    while let Some(read) = soon(calls.join_next()).await {
        if let Some(read) = read.unwrap() {
            assert_eq!(read, CHUNKS * "token".len());
            complete += 1;
        }
    }
    drop(clients);
    for (measured, least) in [(&at_client, complete), (&at_server, complete)] {
        let spans = measured.log.all_ended(least).await;
        let durations = measured.durations();
        let ended: u64 = durations.iter().map(|of| of.count).sum();
        assert_eq!(ended, spans.len() as u64);
        let complete: u64 = durations
            .iter()
            .filter(|of| !of.attributes.contains("dynamo_trace.ending"))
            .map(|of| of.count)
            .sum();
        assert!(complete >= least as u64, "{durations:#?}");
        let failed = durations
            .iter()
            .find(|of| of.attributes.contains("error.type"));
        assert_eq!(failed, None);
    }
    let active: Vec<_> = at_server
        .active()
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    assert_eq!(active, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_start_end_over_http1() {
    run(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_start_end_over_http2() {
    run(true).await;
}
