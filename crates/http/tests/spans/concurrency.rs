//! Many streams at once, some of them given up.

use crate::give_up::give_up;
use crate::telemetry::ending;
use crate::{Server, Telemetry, VERSIONS, soon};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};

/// A tenth of them is given up: fewer than the 20 resets after which an HTTP/2 server takes the
/// client for an attacker and closes the connection.
const STREAMS: usize = 150;
const CHUNKS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_span_that_starts_ends() {
    for protocol in VERSIONS {
        let seed = rand::rng().random();
        eprintln!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let telemetry = Telemetry::new();
        let tokens = async || {
            let stream = futures_util::stream::unfold(0, async |n| {
                tokio::task::yield_now().await;
                let frame = Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from("token")));
                (n < CHUNKS).then_some((frame, n + 1))
            });
            axum::body::Body::new(http_body_util::StreamBody::new(stream))
        };
        let app = Router::new()
            .route("/", get(tokens))
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        let client = telemetry.client().layer(protocol.client());
        let start = || {
            let request = Request::get(format!("http://{}/", server.addr));
            let request = request.body(Full::<Bytes>::default()).unwrap();
            client.clone().oneshot(request)
        };
        // The connection must not be given up with the call that made it.
        start().await.unwrap().collect().await.unwrap();
        let mut complete = 1;
        let mut calls = JoinSet::new();
        for number in 0..STREAMS {
            // One in ten is given up after as many polls.
            let polls = (number % 10 == 0).then(|| random.random_range(0..12));
            let call = start();
            calls.spawn(async move {
                let whole = Box::pin(async move {
                    let response = call.await.unwrap();
                    response.collect().await.unwrap().to_bytes().len()
                });
                match polls {
                    None => Some(whole.await),
                    Some(polls) => give_up(whole, polls).await,
                }
            });
        }
        while let Some(read) = soon(calls.join_next()).await {
            if let Some(read) = read.unwrap() {
                assert_eq!(read, CHUNKS * "token".len());
                complete += 1;
            }
        }
        // Those that were given up early have not reached the server.
        let spans = telemetry.all_ended(2 * complete).await;
        let endings: Vec<_> = spans.iter().map(ending).collect();
        let count = |ending| endings.iter().filter(|e| *e == ending).count();
        assert!(count("complete") >= 2 * complete, "{endings:?}");
        assert!(count("cancelled") > 0, "nothing was given up");
        let failed = endings.iter().find(|e| e.starts_with("failed"));
        assert_eq!(failed, None);
    }
}
