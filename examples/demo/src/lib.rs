//! A mini inference stack: one chat request crosses HTTP, gRPC, etcd, NATS and a framed TCP
//! stream, in five processes, and is one trace.
//!
//! - [`role`]: what the processes do: frontend, router, prefill, decode, and a collector of
//!   traces.
//! - [`stack`]: starts the servers and one process for every role.
//! - [`drive`]: sends requests to a stack and checks the traces that arrive.

mod args;
pub mod drive;
pub mod role;
pub mod stack;

use args::{Args, Command};
use clap::Parser;
use dynamo_trace::sdk::Telemetry;
use dynamo_trace::span::begin_shutdown;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

/// How long the tasks of a role may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// What the executable does.
pub fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let role: Role = match command {
        Command::Run(args) => return runtime.block_on(drive::run(args)),
        Command::Collector(args) => {
            runtime.block_on(role::collector::run(args))?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Frontend(args) => Box::pin(role::frontend::run(args)),
        Command::Router(args) => Box::pin(role::router::run(args)),
        Command::Prefill(args) => Box::pin(role::prefill::run(args)),
        Command::Decode(args) => Box::pin(role::decode::run(args)),
    };
    let telemetry = runtime.block_on(role)?;
    // What is under way ends with the runtime, and its spans with it; then all of them are sent.
    begin_shutdown();
    runtime.shutdown_timeout(STOP_WITHIN);
    telemetry.shutdown()?;
    Ok(ExitCode::SUCCESS)
}

type Role = Pin<Box<dyn Future<Output = anyhow::Result<Telemetry>>>>;
