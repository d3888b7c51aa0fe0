//! Sends requests to a stack of its own and checks the traces that arrive.

mod check;
mod client;
mod report;

use crate::stack::{Config, Stack};
use anyhow::Context;
use check::Check;
pub use check::{CROSSINGS, Checked, check};
use clap::Args;
pub use client::{Answer, Client};
use dynamo_trace_testkit::{Receiver, Tree};
use futures_util::{StreamExt, stream};
use report::Report;
use std::process::ExitCode;
use std::time::Duration;

/// How long the spans of a finished request may take to arrive.
const SPANS_WITHIN: Duration = Duration::from_secs(20);

/// Options of a run.
#[derive(Args, Clone, Debug)]
pub struct DriveArgs {
    /// How many requests
    #[arg(long, default_value_t = 1)]
    requests: usize,
    /// How many at the same time
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// Stay up until Ctrl-C, for requests of one's own
    #[arg(long)]
    keep: bool,
    /// Print one line of JSON on standard output, nothing else
    #[arg(long)]
    json: bool,
    /// Export to this OTLP/gRPC endpoint as well
    #[arg(long)]
    otlp: Option<String>,
}

/// Runs the demo; success only if every request was answered in full and its trace is complete.
///
/// # Errors
///
/// If a part of the stack cannot be started, or ends.
pub async fn run(args: DriveArgs) -> anyhow::Result<ExitCode> {
    tokio::select! {
        done = drive(&args) => done,
        stopped = interrupted() => {
            stopped?;
            anyhow::bail!("interrupted")
        }
    }
}

async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn drive(args: &DriveArgs) -> anyhow::Result<ExitCode> {
    let receiver = Receiver::start().await.context("OTLP receiver")?;
    let mut config = Config::new(std::env::current_exe()?, &receiver.endpoint());
    config.also_export_to = args.otlp.clone();
    tell(args, "starting nats-server, etcd and five roles ..");
    let mut stack = Stack::start(&config).await?;
    let client = Client::new(stack.frontend());
    let report = tokio::select! {
        report = send_all(args, &client, &receiver) => report,
        failed = until_failed(&mut stack) => return Err(failed),
    };
    show(args, &report)?;
    if args.keep {
        eprintln!("\n{}\n\nCtrl-C stops the stack.", curl(stack.frontend()));
        return Err(until_failed(&mut stack).await);
    }
    Ok(if report.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn until_failed(stack: &mut Stack) -> anyhow::Error {
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        look.tick().await;
        if let Some(failed) = stack.failed() {
            return failed.into();
        }
    }
}

async fn send_all(args: &DriveArgs, client: &Client, receiver: &Receiver) -> Report {
    tell(args, &format!("sending {} requests ..", args.requests));
    let results = stream::iter(0..args.requests)
        .map(async |number| {
            let answer = client.chat(&format!("request {number}")).await;
            Check::of(answer, receiver, SPANS_WITHIN).await
        })
        .buffer_unordered(args.concurrency.max(1))
        .collect::<Vec<_>>()
        .await;
    Report::new(results, receiver)
}

fn tell(args: &DriveArgs, what: &str) {
    if !args.json {
        eprintln!("{what}");
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn show(args: &DriveArgs, report: &Report) -> anyhow::Result<()> {
    for problem in &report.problems {
        eprintln!("{problem}");
    }
    if args.json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    println!("\n{}", Tree::new(&report.example).durations(true).render());
    println!("{report}");
    Ok(())
}

fn curl(frontend: &str) -> String {
    format!(
        "curl -N {frontend}/v1/chat/completions -H 'content-type: application/json' \\\n  \
         -d '{{\"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}], \"stream\": true}}'"
    )
}
