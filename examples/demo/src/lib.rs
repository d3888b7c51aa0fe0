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
use std::process::ExitCode;

/// What the executable does.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(args.command)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Frontend(args) => role::frontend::run(args).await?,
        Command::Router(args) => role::router::run(args).await?,
        Command::Prefill(args) => role::prefill::run(args).await?,
        Command::Decode(args) => role::decode::run(args).await?,
        Command::Collector(args) => role::collector::run(args).await?,
        Command::Run(args) => return drive::run(args).await,
    }
    Ok(ExitCode::SUCCESS)
}
