//! The process in which a contender is timed.

use std::time::Instant;

use clap::Parser;
use dynamo_trace_benches::Child;

fn main() -> anyhow::Result<()> {
    Child::parse().run(|run| {
        let start = Instant::now();
        run();
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    })
}
