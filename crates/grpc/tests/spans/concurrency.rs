//! Many streams at once, some of them given up.

use crate::telemetry::ending;
use crate::{Bench, Kind, request, soon};
use opentelemetry::trace::SpanKind;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::pin::Pin;
use std::task::Poll;
use tokio::task::JoinSet;

const STREAMS: usize = 1_000;
/// A tenth of the calls is given up: on each connection fewer than the 20 resets after which an
/// HTTP/2 server takes the client for an attacker and closes the connection.
const CONNECTIONS: usize = 8;
const SCRIPT: &str = "send send send send send send send send send send";

#[tokio::test(flavor = "multi_thread")]
async fn every_span_that_starts_ends() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let bench = Bench::start().await;
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| bench.client()).collect();
    let mut calls = JoinSet::new();
    for n in 0..STREAMS {
        // One in ten is given up after as many polls.
        let polls = (n % 10 == 0).then(|| random.random_range(0..20));
        let kind = Kind::ALL.into_iter().cycle().nth(n).unwrap();
        let mut client = clients[n / 10 % CONNECTIONS].clone();
        calls.spawn(async move {
            let mut call = Box::pin(kind.call(&mut client, request(SCRIPT)));
            match polls {
                None => Some(call.await),
                Some(polls) => give_up(call.as_mut(), polls).await,
            }
        });
    }
    let mut complete = 0;
    while let Some(replied) = soon(calls.join_next()).await {
        if let Some(replied) = replied.unwrap() {
            replied.unwrap();
            complete += 1;
        }
    }
    // Those that were given up early have not reached the server.
    let spans = bench.telemetry.all_ended(2 * complete).await;
    let clients = spans.iter().filter(|s| s.span_kind == SpanKind::Client);
    let clients: Vec<_> = clients.map(ending).collect();
    let completed = clients.iter().filter(|ending| *ending == "complete");
    assert!(completed.count() >= complete, "{clients:?}");
    let given_up = clients.iter().filter(|ending| *ending == "cancelled");
    assert!(given_up.count() > 0, "nothing was given up");
    let others = clients
        .iter()
        .find(|e| !["complete", "cancelled"].contains(&&***e));
    assert_eq!(others, None);
    // To tonic's server a call that is given up before its message came is one without message,
    // which it answers.
    let servers = spans.iter().filter(|s| s.span_kind == SpanKind::Server);
    let servers: Vec<_> = servers.map(ending).collect();
    let completed = servers.iter().filter(|ending| *ending == "complete");
    assert!(completed.count() >= complete, "{servers:?}");
}

/// Polls a future so many times, and gives it up.
async fn give_up<F: Future>(mut future: Pin<&mut F>, polls: usize) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        // Polls by itself too, so that it is given up at all.
        cx.waker().wake_by_ref();
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
