use crate::drive::DriveArgs;
use crate::role::collector::CollectorArgs;
use crate::role::decode::DecodeArgs;
use crate::role::frontend::FrontendArgs;
use crate::role::prefill::PrefillArgs;
use crate::role::router::RouterArgs;
use clap::{Parser, Subcommand};

/// A mini inference stack: five processes, one trace.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The OpenAI API over HTTP
    Frontend(FrontendArgs),
    /// Picks a decode worker, over gRPC
    Router(RouterArgs),
    /// Prepares a request, over NATS
    Prefill(PrefillArgs),
    /// Generates the tokens of a request, over NATS and framed TCP
    Decode(DecodeArgs),
    /// Receives spans over OTLP and logs each finished trace
    Collector(CollectorArgs),
    /// Starts all of it, sends requests, checks their traces
    Run(DriveArgs),
}
