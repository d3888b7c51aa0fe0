//! The processes of the stack.

pub mod collector;
pub mod decode;
pub mod frontend;
pub mod prefill;
pub mod router;

mod message;
mod registry;

use anyhow::Context as _;
use clap::Args;
use dynamo_trace::sdk::Telemetry;
use dynamo_trace::{Fields, Propagation, etcd, nats};
use opentelemetry::Context;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where the servers are.
#[derive(Args, Clone, Debug)]
pub struct Servers {
    /// NATS server
    #[arg(long, default_value = "nats://127.0.0.1:4222")]
    nats: String,
    /// etcd endpoint
    #[arg(long, default_value = "127.0.0.1:2379")]
    etcd: String,
}

impl Servers {
    async fn nats(&self) -> anyhow::Result<nats::Client> {
        let client = async_nats::connect(&self.nats).await;
        let client = client.map_err(|error| {
            anyhow::anyhow!(
                "NATS at {}: {error}; is it running there? (--nats)",
                self.nats
            )
        })?;
        Ok(nats::Client::new(client))
    }

    async fn etcd(&self) -> anyhow::Result<etcd::Client> {
        let client = etcd::Client::connect([&self.etcd], None).await?;
        // It connects with the first call.
        match client.get("reachable?", None).await {
            Ok(_) => Ok(client),
            Err(error) => {
                anyhow::bail!(
                    "etcd at {}: {error}; is it running there? (--etcd)",
                    self.etcd
                )
            }
        }
    }
}

/// What every role has in common.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Export spans to this OTLP endpoint as well
    #[arg(long)]
    also_export_to: Option<String>,
    /// End when standard input ends: a parent that dies takes its children along
    #[arg(long)]
    exit_with_stdin: bool,
}

impl Common {
    fn telemetry(&self, service: &str) -> anyhow::Result<Telemetry> {
        let mut telemetry = Telemetry::builder(service);
        if let Some(url) = &self.also_export_to {
            telemetry = telemetry.also_export_to(url);
        }
        Ok(telemetry.init()?)
    }

    /// Waits for Ctrl-C, SIGTERM, or the end of standard input.
    async fn until_stopped(&self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let parent_gone = async {
            if self.exit_with_stdin {
                let mut rest = Vec::new();
                // Whatever ends it, it is over.
                let _ = tokio::io::stdin().read_to_end(&mut rest).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = tokio::signal::ctrl_c() => done?,
            _ = terminate.recv() => {}
            () = parent_gone => {}
        }
        Ok(())
    }
}

/// Listens, or says what to do.
async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; give another address"))
}

/// Logs the context that would be sent on from here: what this hop has received, as its child
/// would see it.
fn log_context() {
    let mut fields = Fields::default();
    Propagation::global().inject(&Context::current(), &mut fields);
    let Fields {
        traceparent,
        tracestate,
        baggage,
        ..
    } = fields;
    tracing::info!(traceparent, tracestate, baggage, "context");
}

/// What a role tells its parent on standard output once it serves.
const READY: &str = "READY ";

/// Where a role serves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) address: String,
}

impl Ready {
    /// The last announcement in a log.
    pub(crate) fn find(log: &str) -> Option<Self> {
        let line = log
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(READY))?;
        serde_json::from_str(line).ok()
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it there")]
fn announce(address: impl ToString) -> anyhow::Result<()> {
    let address = address.to_string();
    println!("{READY}{}", serde_json::to_string(&Ready { address })?);
    Ok(())
}
