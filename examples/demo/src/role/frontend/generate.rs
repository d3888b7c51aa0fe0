//! One request, from the choice of a worker to its last token.

use super::Frontend;
use super::responses::Expected;
use crate::role::message::{Chunk, Decode, PREFILL, Prefill, decode_subject};
use crate::role::router::proto::PickRequest;
use axum::extract::rejection::JsonRejection;
use futures_util::{Stream, StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a worker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is asked of the workers.
pub(super) struct Generation {
    pub(super) request_id: String,
    pub(super) prompt: String,
    pub(super) max_tokens: u32,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    BadRequest(#[from] JsonRejection),
    #[error("no worker: {0}")]
    NoWorker(String),
    #[error("no answer in time: {0}")]
    Timeout(String),
    #[error("the worker failed: {0}")]
    Worker(String),
}

impl Frontend {
    /// Has a request prepared and hands it to a decode worker, which has begun to answer when
    /// this returns.
    pub(super) async fn generate(
        self: &Arc<Self>,
        generation: Generation,
    ) -> Result<Tokens, Failed> {
        let Generation {
            request_id,
            prompt,
            max_tokens,
        } = generation;
        let worker = self.pick(&request_id).await?;
        self.prefill(&Prefill {
            request_id: request_id.clone(),
            worker: worker.clone(),
            prompt,
        })
        .await?;
        let expected = self.responses.expect(&request_id);
        let request = Decode {
            request_id,
            max_tokens,
            connect_to: self.connect_to.clone(),
        };
        let request = serde_json::to_vec(&request).map_err(worker_failed)?;
        let published = self
            .nats
            .publish(decode_subject(&worker), request.into())
            .await;
        published.map_err(worker_failed)?;
        self.connected(expected, worker).await
    }

    async fn pick(&self, request_id: &str) -> Result<String, Failed> {
        let request = PickRequest {
            request_id: request_id.to_owned(),
            workers: self.workers.available(),
        };
        let picked = self.router.clone().pick(request).await;
        let picked = picked.map_err(|status| Failed::NoWorker(status.message().to_owned()))?;
        Ok(picked.into_inner().worker)
    }

    async fn prefill(&self, request: &Prefill) -> Result<(), Failed> {
        let request = serde_json::to_vec(request).map_err(worker_failed)?;
        let answer = self.nats.request(PREFILL, request.into()).await;
        let answer = answer.map_err(|error| Failed::NoWorker(format!("prefill: {error}")))?;
        if answer.payload.is_empty() {
            return Ok(());
        }
        Err(worker_failed(String::from_utf8_lossy(&answer.payload)))
    }

    /// Waits until the worker connects, unless it vanishes.
    async fn connected(
        self: &Arc<Self>,
        expected: Expected,
        worker: String,
    ) -> Result<Tokens, Failed> {
        let connected = tokio::select! {
            connected = tokio::time::timeout(ANSWER_WITHIN, expected.connected()) => connected.ok(),
            () = self.workers.left(&worker) => None,
        };
        match connected {
            Some(tokens) => Ok(Tokens {
                tokens,
                worker,
                frontend: self.clone(),
            }),
            None => {
                self.workers.suspect(&worker);
                Err(Failed::Timeout(format!("{worker} did not connect")))
            }
        }
    }
}

fn worker_failed(error: impl ToString) -> Failed {
    Failed::Worker(error.to_string())
}

/// The tokens of one request, as they come.
pub(super) struct Tokens {
    tokens: mpsc::Receiver<Chunk>,
    worker: String,
    frontend: Arc<Frontend>,
}

impl Tokens {
    /// Who generates them.
    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// The next token; `None` after the last.
    async fn next(&mut self) -> Result<Option<String>, Failed> {
        match self.tokens.recv().await {
            Some(Chunk::Token(token)) => Ok(Some(token)),
            Some(Chunk::Done) => Ok(None),
            None => {
                self.frontend.workers.suspect(&self.worker);
                Err(worker_failed(format!("{} broke off", self.worker)))
            }
        }
    }

    /// All tokens, then `None`, or an error; then nothing.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Option<String>, Failed>> {
        stream::unfold(Some(self), async |tokens| {
            let mut tokens = tokens?;
            let next = tokens.next().await;
            let more = matches!(next, Ok(Some(_)));
            Some((next, more.then_some(tokens)))
        })
    }

    /// All tokens in one text.
    pub(super) async fn into_text(self) -> Result<String, Failed> {
        let mut tokens = std::pin::pin!(self.into_stream());
        let mut words = Vec::new();
        while let Some(token) = tokens.next().await {
            words.extend(token?);
        }
        Ok(words.join(" "))
    }
}
