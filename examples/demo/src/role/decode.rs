//! Generates tokens: takes requests over NATS, then connects back to the frontend and streams the
//! tokens there.

use super::message::{Chunk, Decode, Handshake, Session, decode_subject, sessions};
use super::registry::{deregister, register};
use super::{Common, Servers, announce, log_context};
use anyhow::Context as _;
use clap::Args;
use dynamo_trace::frame::Codec;
use dynamo_trace::sdk::Telemetry;
use dynamo_trace::{etcd, nats};
use etcd_client::{Event, EventType, KeyValue, WatchOptions};
use futures_util::SinkExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::codec::Framed;

/// How long a session may take to arrive.
const SESSION_WITHIN: Duration = Duration::from_secs(5);

/// Options of a decode worker.
#[derive(Args, Clone, Debug)]
pub struct DecodeArgs {
    /// The worker's name
    #[arg(long, default_value = "decode-1")]
    name: String,
    /// Milliseconds between tokens
    #[arg(long, default_value_t = 5)]
    token_delay: u64,
    #[command(flatten)]
    servers: Servers,
    #[command(flatten)]
    common: Common,
}

/// Runs a decode worker until it is told to stop; the caller ends its tasks, and then
/// telemetry.
///
/// # Errors
///
/// If a server cannot be reached, or telemetry is not configured well.
pub async fn run(args: DecodeArgs) -> anyhow::Result<Telemetry> {
    let telemetry = args.common.telemetry("decode")?;
    let (nats, etcd) = (args.servers.nats().await?, args.servers.etcd().await?);
    let (sessions, watching) = Sessions::follow(&etcd, &args.name).await?;
    let requests = nats.subscribe(decode_subject(&args.name)).await?;
    let registered = register(&etcd, "decode", &args.name).await?;
    announce(&args.name)?;
    let worker = Worker {
        sessions,
        token_delay: Duration::from_millis(args.token_delay),
    };
    tokio::select! {
        () = Arc::new(worker).serve(requests) => {}
        ended = watching => return Err(ended),
        stopped = args.common.until_stopped() => stopped?,
    }
    deregister(registered).await;
    Ok(telemetry)
}

struct Worker {
    sessions: Sessions,
    token_delay: Duration,
}

impl Worker {
    async fn serve(self: Arc<Self>, mut requests: nats::Subscriber) {
        while let Some(request) = requests.next().await {
            let worker = self.clone();
            tokio::spawn(request.try_process(async move |message| {
                let done = worker.generate(&message.payload).await;
                if let Err(error) = &done {
                    tracing::warn!("request failed: {error:#}");
                }
                done
            }));
        }
    }

    async fn generate(&self, request: &[u8]) -> anyhow::Result<()> {
        log_context();
        let request: Decode = serde_json::from_slice(request)?;
        let session = self.sessions.take(&request.request_id).await?;
        let home = TcpStream::connect(&request.connect_to).await?;
        // A token must not wait for the next one.
        home.set_nodelay(true)?;
        let codec = Codec::new().destination("tokens").peer(home.peer_addr()?);
        let request_id = request.request_id;
        let handshake = serde_json::to_vec(&Handshake { request_id })?;
        let sender = codec.sender(Framed::new(home, codec.clone()));
        let mut tokens = sender.open(handshake).await?;
        let mut state = session.seed;
        for _ in 0..request.max_tokens {
            tokio::time::sleep(self.token_delay).await;
            let token = Chunk::Token(next_word(&mut state).to_owned());
            tokens.send(serde_json::to_vec(&token)?.into()).await?;
        }
        tokens
            .send(serde_json::to_vec(&Chunk::Done)?.into())
            .await?;
        tokens.finish().await?;
        Ok(())
    }
}

/// A word that follows from the state, which moves on.
fn next_word(state: &mut u64) -> &'static str {
    const WORDS: [&str; 16] = [
        "one", "request", "is", "one", "trace", "whatever", "it", "crosses", "from", "the",
        "first", "token", "to", "the", "last", "hop",
    ];
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let at = (*state >> 60) as usize;
    WORDS.get(at).copied().unwrap_or("trace")
}

/// The sessions that prefill workers left for this worker.
struct Sessions {
    etcd: etcd::Client,
    prefix: String,
    arrived: Arc<watch::Sender<HashMap<String, Session>>>,
}

impl Sessions {
    /// The future follows the changes, and ends only when that fails.
    async fn follow(
        etcd: &etcd::Client,
        worker: &str,
    ) -> anyhow::Result<(Self, impl Future<Output = anyhow::Error> + use<>)> {
        let prefix = sessions(worker);
        let options = WatchOptions::new().with_prefix();
        let mut changes = etcd.watch(&*prefix, Some(options)).await?;
        let arrived = Arc::new(watch::Sender::default());
        let this = Self {
            etcd: etcd.clone(),
            prefix: prefix.clone(),
            arrived: arrived.clone(),
        };
        let follow = async move {
            while let Some(Ok(change)) = changes.next().await {
                if change.event_type() == EventType::Delete {
                    // Taken, or nobody did in time.
                    if let Some(id) = change.kv().and_then(|kv| id(&prefix, kv)) {
                        arrived.send_modify(|sessions| {
                            sessions.remove(&id);
                        });
                    }
                    continue;
                }
                let learn = change.try_process(async |event| learn(&arrived, &prefix, &event));
                if let Err(error) = learn.await {
                    tracing::warn!("unreadable session: {error:#}");
                }
            }
            anyhow::anyhow!("the watch of sessions ended")
        };
        Ok((this, follow))
    }

    /// Waits for a session and removes it.
    async fn take(&self, request_id: &str) -> anyhow::Result<Session> {
        let mut arrivals = self.arrived.subscribe();
        let arrived = arrivals.wait_for(|sessions| sessions.contains_key(request_id));
        let arrived = tokio::time::timeout(SESSION_WITHIN, arrived).await;
        arrived.context("no session arrived")??;
        let mut session = None;
        self.arrived.send_if_modified(|sessions| {
            session = sessions.remove(request_id);
            false
        });
        let key = format!("{}{request_id}", self.prefix);
        self.etcd.delete(key, None).await?;
        session.context("the session was taken twice")
    }
}

fn id(prefix: &str, kv: &KeyValue) -> Option<String> {
    Some(kv.key_str().ok()?.strip_prefix(prefix)?.to_owned())
}

fn learn(
    arrived: &watch::Sender<HashMap<String, Session>>,
    prefix: &str,
    event: &Event,
) -> anyhow::Result<()> {
    log_context();
    let kv = event.kv().context("an event without a key")?;
    let session: Session = serde_json::from_slice(kv.value())?;
    let id = id(prefix, kv).context("a key that is no session")?;
    arrived.send_modify(|sessions| {
        sessions.insert(id, session);
    });
    Ok(())
}
