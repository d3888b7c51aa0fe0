//! Prepares requests: does a little arithmetic and leaves the result in etcd for the decode
//! worker.

use super::message::{PREFILL, Prefill, Session, sessions};
use super::registry::{deregister, register};
use super::{Common, Servers, announce, log_context};
use clap::Args;
use dynamo_trace::sdk::Telemetry;
use dynamo_trace::{etcd, nats};
use etcd_client::PutOptions;
use opentelemetry::KeyValue;
use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use std::time::Duration;
use tokio::sync::watch;

/// How many multiplications a prompt costs.
const WORK: usize = 100_000;
/// How long a session stays that no decode worker takes, in seconds.
const SESSION_SECONDS: i64 = 60;

/// Options of a prefill worker.
#[derive(Args, Clone, Debug)]
pub struct PrefillArgs {
    /// The worker's name
    #[arg(long, default_value = "prefill-1")]
    name: String,
    #[command(flatten)]
    servers: Servers,
    #[command(flatten)]
    common: Common,
}

/// Runs a prefill worker until it is told to stop; the caller ends its tasks, and then
/// telemetry.
///
/// # Errors
///
/// If a server cannot be reached, or telemetry is not configured well.
pub async fn run(args: PrefillArgs) -> anyhow::Result<Telemetry> {
    let telemetry = args.common.telemetry("prefill")?;
    let (nats, etcd) = (args.servers.nats().await?, args.servers.etcd().await?);
    let requests = nats.queue_subscribe(PREFILL, PREFILL.to_owned()).await?;
    let registered = register(&etcd, "prefill", &args.name).await?;
    let lease = SessionLease::new(etcd.clone()).await?;
    announce(&args.name)?;
    tokio::select! {
        () = serve(requests, nats, etcd, lease.current.subscribe()) => {}
        failed = lease.renew() => failed?,
        stopped = args.common.until_stopped() => stopped?,
    }
    deregister(registered).await;
    Ok(telemetry)
}

async fn serve(
    mut requests: nats::Subscriber,
    nats: nats::Client,
    etcd: etcd::Client,
    lease: watch::Receiver<i64>,
) {
    while let Some(request) = requests.next().await {
        let (nats, etcd) = (nats.clone(), etcd.clone());
        let lease = *lease.borrow();
        tokio::spawn(request.try_process(async move |message| {
            let prepared = prepare(&message.payload, &etcd, lease).await;
            let answer = match &prepared {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            };
            nats.reply(&message, answer.into()).await?;
            prepared
        }));
    }
}

async fn prepare(request: &[u8], etcd: &etcd::Client, lease: i64) -> anyhow::Result<()> {
    log_context();
    let request: Prefill = serde_json::from_slice(request)?;
    let seed = work(&request.prompt);
    let key = sessions(&request.worker) + &request.request_id;
    let options = PutOptions::new().with_lease(lease);
    etcd.put(key, serde_json::to_vec(&Session { seed })?, Some(options))
        .await?;
    tracing::info!(request_id = request.request_id, "prepared");
    Ok(())
}

/// The lease of sessions that are written now: a new one every half of its time, so that what
/// nobody takes vanishes.
struct SessionLease {
    etcd: etcd::Client,
    current: watch::Sender<i64>,
}

impl SessionLease {
    async fn new(etcd: etcd::Client) -> anyhow::Result<Self> {
        let lease = etcd.lease_grant(SESSION_SECONDS, None).await?.id();
        Ok(Self {
            etcd,
            current: watch::Sender::new(lease),
        })
    }

    /// Ends only when it fails.
    async fn renew(&self) -> anyhow::Result<()> {
        let half = Duration::from_secs(SESSION_SECONDS as u64 / 2);
        loop {
            tokio::time::sleep(half).await;
            let lease = self.etcd.lease_grant(SESSION_SECONDS, None).await?;
            self.current.send_replace(lease.id());
        }
    }
}

/// The work: so many multiplications, however long the prompt. Its span is made with the plain
/// OpenTelemetry API.
fn work(prompt: &str) -> u64 {
    let mut span = global::tracer("demo").start("compute prompt");
    span.set_attribute(KeyValue::new("prompt.bytes", prompt.len() as i64));
    let mix = |state: u64, byte: u64| (state ^ byte).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    let bytes = prompt.bytes().chain([0]).cycle().map(u64::from);
    let start = 0xcbf2_9ce4_8422_2325 ^ prompt.len() as u64;
    let seed = bytes.take(WORK).fold(start, mix);
    span.end();
    seed
}
