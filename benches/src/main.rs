//! Measures what the layers cost, and prints tables.

use clap::Parser;
use dynamo_trace_benches::Options;

fn main() -> anyhow::Result<()> {
    Options::parse().run()
}
