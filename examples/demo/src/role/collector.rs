//! Receives spans over OTLP and logs each finished trace as its tree.

use super::{Common, announce};
use anyhow::Context;
use clap::Args;
use dynamo_trace_testkit::{Receiver, Span, Tree, analyse};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// A trace is finished when no span of it has come for this long.
const QUIET: Duration = Duration::from_secs(2);
/// How much longer it may take where spans are missing.
const OPEN: Duration = Duration::from_secs(15);
/// How many traces are kept.
pub(crate) const TRACES: usize = 1000;

/// Options of the collector.
#[derive(Args, Clone, Debug)]
pub struct CollectorArgs {
    /// Where to serve OTLP/gRPC
    #[arg(long, default_value = "127.0.0.1:4317")]
    grpc: SocketAddr,
    /// Where to serve OTLP/HTTP
    #[arg(long, default_value = "127.0.0.1:4318")]
    http: SocketAddr,
    #[command(flatten)]
    common: Common,
}

/// Runs the collector until it is told to stop.
///
/// # Errors
///
/// If it cannot listen.
pub async fn run(args: CollectorArgs) -> anyhow::Result<()> {
    let receiver = Receiver::builder().keep_traces(TRACES);
    let receiver = receiver.bind(args.grpc, args.http).await.with_context(|| {
        format!(
            "cannot listen on {} and {}; give other addresses",
            args.grpc, args.http
        )
    })?;
    let addresses = receiver.addresses().iter().map(ToString::to_string);
    announce(addresses.collect::<Vec<_>>().join(" "))?;
    tokio::select! {
        () = log_traces(&receiver) => {}
        stopped = args.common.until_stopped() => stopped?,
    }
    receiver.shutdown().await;
    Ok(())
}

pub(crate) async fn log_traces(receiver: &Receiver) {
    let mut arrivals = receiver.subscribe();
    let mut growing = HashMap::<[u8; 16], Growing>::new();
    loop {
        let next = growing.values().map(|trace| trace.due).min();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            grown = arrivals.next() => {
                let Some(grown) = grown else { return };
                growing.extend(grown.into_iter().map(|trace| (trace, Growing::now())));
            }
            () = due => growing.retain(|trace, state| {
                if state.due > Instant::now() {
                    return true;
                }
                let spans = receiver.trace(*trace);
                // The root, which ends last, may still be open.
                if analyse(&spans).orphans > 0 && !std::mem::replace(&mut state.waited, true) {
                    state.due += OPEN;
                    return true;
                }
                log(*trace, &spans);
                false
            }),
        }
    }
}

/// A trace whose spans still come.
struct Growing {
    due: Instant,
    waited: bool,
}

impl Growing {
    fn now() -> Self {
        Self {
            due: Instant::now() + QUIET,
            waited: false,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the collector's log is its output")]
fn log(trace: [u8; 16], spans: &[Span]) {
    // One call of etcd alone, at the start of a role or to keep a lease, tells nothing.
    if spans.len() < 2 {
        return;
    }
    let id: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("trace {id}\n{}", Tree::new(spans).durations(true).render());
}
