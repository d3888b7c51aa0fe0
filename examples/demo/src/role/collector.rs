//! Receives spans over OTLP and logs each finished trace as its tree.

use super::{Common, announce};
use anyhow::Context;
use clap::Args;
use dynamo_trace_testkit::{Receiver, Tree};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// A trace is finished when no span of it has come for this long.
const QUIET: Duration = Duration::from_secs(2);
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
    let mut growing = HashMap::<[u8; 16], Instant>::new();
    loop {
        let next = growing.values().min().map(|grown| *grown + QUIET);
        let quiet = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            grown = arrivals.next() => {
                let Some(grown) = grown else { return };
                growing.extend(grown.into_iter().map(|trace| (trace, Instant::now())));
            }
            () = quiet => {
                let finished: Vec<_> = growing
                    .extract_if(|_, grown| grown.elapsed() >= QUIET)
                    .map(|(trace, _)| trace)
                    .collect();
                finished.iter().for_each(|trace| log(receiver, *trace));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the collector's log is its output")]
fn log(receiver: &Receiver, trace: [u8; 16]) {
    let spans = receiver.trace(trace);
    // One call of etcd alone, at the start of a role or to keep a lease, tells nothing.
    if spans.len() < 2 {
        return;
    }
    let id: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("trace {id}\n{}", Tree::new(&spans).durations(true).render());
}
