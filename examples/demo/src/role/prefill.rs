//! Prepares requests: does a little arithmetic and leaves the result in etcd for the decode
//! worker.

use super::message::{PREFILL, Prefill, Session, sessions};
use super::registry::Registration;
use super::{Common, Servers, announce, log_context};
use clap::Args;
use dynamo_trace::{etcd, nats};
use opentelemetry::KeyValue;
use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};

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

/// Runs a prefill worker until it is told to stop.
///
/// # Errors
///
/// If a server cannot be reached, or telemetry is not configured well.
pub async fn run(args: PrefillArgs) -> anyhow::Result<()> {
    let telemetry = args.common.telemetry("prefill")?;
    let (nats, etcd) = (args.servers.nats().await?, args.servers.etcd().await?);
    let requests = nats.queue_subscribe(PREFILL, PREFILL.to_owned()).await?;
    let registration = Registration::new(etcd.clone(), "prefill", &args.name).await?;
    announce(&args.name)?;
    tokio::select! {
        () = serve(requests, nats, etcd) => {}
        lost = registration.keep() => lost?,
        stopped = args.common.until_stopped() => stopped?,
    }
    Ok(telemetry.shutdown()?)
}

async fn serve(mut requests: nats::Subscriber, nats: nats::Client, etcd: etcd::Client) {
    while let Some(request) = requests.next().await {
        let (nats, etcd) = (nats.clone(), etcd.clone());
        tokio::spawn(request.try_process(async move |message| {
            let prepared = prepare(&message.payload, &etcd).await;
            let answer = match &prepared {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            };
            nats.reply(&message, answer.into()).await?;
            prepared
        }));
    }
}

async fn prepare(request: &[u8], etcd: &etcd::Client) -> anyhow::Result<()> {
    log_context();
    let request: Prefill = serde_json::from_slice(request)?;
    let seed = work(&request.prompt);
    let key = sessions(&request.worker) + &request.request_id;
    etcd.put(key, serde_json::to_vec(&Session { seed })?, None)
        .await?;
    tracing::info!(request_id = request.request_id, "prepared");
    Ok(())
}

/// The work: some thousand multiplications for every byte of the prompt. Its span is made with
/// the plain OpenTelemetry API.
fn work(prompt: &str) -> u64 {
    let mut span = global::tracer("demo").start("compute prompt");
    span.set_attribute(KeyValue::new("prompt.bytes", prompt.len() as i64));
    let mix = |state: u64, byte: u64| (state ^ byte).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    let seed = (0..2000).fold(0xcbf2_9ce4_8422_2325, |state, _| {
        prompt.bytes().map(u64::from).fold(state, mix)
    });
    span.end();
    seed
}
