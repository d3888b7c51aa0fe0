//! The process in which a contender's allocations are counted.
//!
//! A program of its own: the allocator that counts is there from the start, and is slower.

use allocation_counter::measure;
use clap::Parser;
use dynamo_trace_benches::Child;

fn main() -> anyhow::Result<()> {
    Child::parse().run(|run| measure(run).count_total)
}
