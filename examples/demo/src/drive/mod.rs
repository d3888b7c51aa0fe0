//! Sends requests to a stack of its own and checks the traces that arrive.

mod check;
mod client;
mod report;

use crate::role::collector::{TRACES, log_traces};
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
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the spans of a finished request may take to arrive.
const SPANS_WITHIN: Duration = Duration::from_secs(20);

/// Options of a run.
#[derive(Args, Clone, Debug)]
pub struct DriveArgs {
    /// How many requests
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    requests: usize,
    /// How many at the same time
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    concurrency: usize,
    /// Stay up until Ctrl-C, for requests of one's own
    #[arg(long)]
    keep: bool,
    /// Print one line of JSON on standard output, nothing else
    #[arg(long)]
    json: bool,
    /// Export to this OTLP/gRPC endpoint as well
    #[arg(long, value_parser = plain_url)]
    otlp: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "give a number from 1".to_owned())
}

fn plain_url(text: &str) -> Result<String, String> {
    let url = text.starts_with("http://").then(|| text.to_owned());
    url.ok_or_else(|| "give the URL of an OTLP/gRPC endpoint: http://HOST:PORT".to_owned())
}

/// Runs the demo; success only if every request was answered in full and its trace is complete.
///
/// # Errors
///
/// If a part of the stack cannot be started, or ends.
pub async fn run(args: DriveArgs) -> anyhow::Result<ExitCode> {
    // Handled from the start: whatever ends this process must end the others.
    let mut stopped = std::pin::pin!(Signals::new()?.any());
    let done = async {
        let receiver = Receiver::builder().keep_traces(TRACES.max(2 * args.requests));
        let receiver = receiver.start().await.context("OTLP receiver")?;
        let mut config = Config::new(std::env::current_exe()?, &receiver.endpoint());
        config.also_export_to = args.otlp.clone();
        tell(&args, "starting nats-server, etcd and five roles ..");
        let mut stack = Stack::start(&config).await?;
        let client = Client::new(stack.frontend());
        let report = tokio::select! {
            report = send_all(&args, &client, &receiver) => report,
            failed = until_failed(&mut stack) => return Err(failed),
        };
        show(&args, &report)?;
        Ok((stack, receiver, report))
    };
    let (mut stack, receiver, report) = tokio::select! {
        done = done => done?,
        () = &mut stopped => anyhow::bail!("interrupted"),
    };
    if args.keep {
        eprintln!("\n{}\n\nCtrl-C stops the stack.\n", curl(stack.frontend()));
        tokio::select! {
            failed = until_failed(&mut stack) => return Err(failed),
            () = log_traces(&receiver) => {}
            () = stopped => {}
        }
    }
    for complaint in stack.stop().await {
        eprintln!("{complaint}");
    }
    Ok(if report.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The signals that end a process.
struct Signals([Signal; 4]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]))
    }

    async fn any(self) {
        let [mut interrupt, mut terminate, mut hangup, mut quit] = self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
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
    let requests = if args.requests == 1 {
        "request"
    } else {
        "requests"
    };
    tell(args, &format!("sending {} {requests} ..", args.requests));
    let results = stream::iter(0..args.requests)
        .map(async |number| {
            let answer = client.chat(&format!("request {number}")).await;
            Check::of(answer, receiver, SPANS_WITHIN).await
        })
        .buffer_unordered(args.concurrency)
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
    if let Some(first) = report.problems.first() {
        eprintln!("{first}");
        match report.problems.len() {
            1 => {}
            more => eprintln!(
                "and {} more requests that failed or are incomplete",
                more - 1
            ),
        }
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
