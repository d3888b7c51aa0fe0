//! Where decode workers connect to and stream their tokens.

use crate::role::log_context;
use crate::role::message::{Chunk, Handshake};
use anyhow::Context;
use dynamo_trace::Ending;
use dynamo_trace::frame::Codec;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::Framed;

/// How many tokens may wait for a slow client.
const TOKENS: usize = 64;

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<mpsc::Receiver<Chunk>>>>>;

/// The requests that wait for a worker to connect.
#[derive(Default)]
pub(super) struct Responses {
    waiting: Waiting,
    ids: RandomState,
    count: AtomicU64,
}

impl Responses {
    /// Accepts workers until the process ends.
    pub(super) fn listen(listener: TcpListener) -> Self {
        let this = Self::default();
        let waiting = this.waiting.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((connection, _)) => {
                        tokio::spawn(accept(connection, waiting.clone()));
                    }
                    Err(error) => tracing::warn!("a worker could not connect: {error}"),
                }
            }
        });
        this
    }

    /// An id that no other request has, of this process or another: several requests may be of
    /// one trace, or of none.
    pub(super) fn new_request_id(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{count}", self.ids.hash_one(count))
    }

    /// Expects a worker to connect for this request.
    pub(super) fn expect(&self, request_id: &str) -> Expected {
        let (connected, connection) = oneshot::channel();
        lock(&self.waiting).insert(request_id.to_owned(), connected);
        Expected {
            request_id: request_id.to_owned(),
            connection,
            waiting: self.waiting.clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that waits; it stops waiting when this is dropped.
pub(super) struct Expected {
    request_id: String,
    connection: oneshot::Receiver<mpsc::Receiver<Chunk>>,
    waiting: Waiting,
}

impl Expected {
    /// The worker's tokens, once it has connected.
    pub(super) async fn connected(mut self) -> mpsc::Receiver<Chunk> {
        match (&mut self.connection).await {
            Ok(tokens) => tokens,
            // Only a second request with the same id takes the place away.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.request_id);
    }
}

async fn accept(connection: TcpStream, waiting: Waiting) {
    let mut frames = Framed::new(connection, Codec::new().destination("tokens"));
    let Some(Ok(first)) = frames.next().await else {
        tracing::warn!("a worker connected and sent no handshake");
        return;
    };
    // The span of the whole stream is the child of the worker's.
    let (first, span) = first.start();
    let stream = pass_on(&first, frames, waiting);
    let passed = span.run_judged(stream, |passed| match passed {
        Ok(Passed::All) => Ending::Complete,
        Ok(Passed::ClientGone) => Ending::Cancelled,
        Err(_) => Ending::failed("stream_broken"),
    });
    if let Err(error) = passed.await {
        tracing::warn!("a token stream failed: {error:#}");
    }
}

enum Passed {
    All,
    ClientGone,
}

/// Passes the tokens on to the request that waits for them.
async fn pass_on(
    first: &[u8],
    mut frames: Framed<TcpStream, Codec>,
    waiting: Waiting,
) -> anyhow::Result<Passed> {
    // The last hop.
    log_context();
    let Handshake { request_id } = serde_json::from_slice(first)?;
    let expected = lock(&waiting).remove(&request_id);
    let expected = expected.context("nobody waits for this request")?;
    let (tokens, receiver) = mpsc::channel(TOKENS);
    // A client that has gone away is noticed at the first token.
    let _ = expected.send(receiver);
    loop {
        let frame = frames.next().await.context("the worker broke off")??;
        let chunk = serde_json::from_slice(&frame)?;
        let done = matches!(chunk, Chunk::Done);
        if tokens.send(chunk).await.is_err() {
            return Ok(Passed::ClientGone);
        }
        if done {
            return Ok(Passed::All);
        }
    }
}
