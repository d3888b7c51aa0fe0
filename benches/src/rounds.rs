//! Lets the contenders take turns.

use std::num::NonZeroUsize;

use clap::ValueEnum;

use crate::contender::{Contender, Suite};
use crate::process::{ALLOCATIONS, NANOSECONDS, Process};
use crate::table::{Cost, Table};
use crate::telemetry::Mode;
use crate::{etcd, grpc, http, nats};

/// Rounds before the processes are replaced: where code and data lie in memory differs between
/// processes, and matters.
const ROUNDS_OF_A_PROCESS: usize = 10;

/// Measures the layers.
#[derive(Debug, clap::Parser)]
#[command(about = "What the layers cost, beside those of others")]
pub struct Options {
    /// On which transport; on all of them without it
    transport: Option<Transport>,

    /// How often each contender is timed in each mode
    #[arg(long, default_value = "60")]
    rounds: NonZeroUsize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transport {
    Http,
    Grpc,
    Nats,
    Etcd,
}

impl Options {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// If a process fails, or what it measures is not what it ought to be.
    #[expect(clippy::print_stdout, reason = "the tables are the output")]
    pub fn run(&self) -> anyhow::Result<()> {
        let rounds = self.rounds.get();
        if matches!(self.transport, None | Some(Transport::Nats)) {
            println!("Throughput (median of {rounds} rounds, ± half the interquartile range).\n");
            println!("{}\n", nats::measure(rounds)?);
        }
        if matches!(self.transport, None | Some(Transport::Etcd)) {
            println!("{}\n", etcd::measure(rounds)?);
        }
        if matches!(self.transport, Some(Transport::Nats | Transport::Etcd)) {
            return Ok(());
        }
        println!(
            "Nanoseconds (median of {rounds} rounds, ± half the interquartile range), allocations."
        );
        if matches!(self.transport, None | Some(Transport::Http)) {
            let unary = measure(&http::UNARY, rounds)?;
            println!("\n{unary}\n{}", unary.ratio());
            let streams = measure(&http::STREAM, rounds)?;
            println!("\n{}", streams.per_chunk(&unary, http::CHUNKS));
        }
        if matches!(self.transport, None | Some(Transport::Grpc)) {
            let unary = measure(&grpc::UNARY, rounds)?;
            println!("\n{unary}\n{}", unary.ratio());
        }
        Ok(())
    }
}

fn measure(suite: &'static Suite, rounds: usize) -> anyhow::Result<Table> {
    let columns = Mode::ALL.into_iter().map(|mode| {
        eprintln!("{}, {} ..", suite.name, mode.name());
        let nanoseconds = time(suite, mode, rounds)?;
        let count = |contender| count(suite, contender, mode);
        let allocations: Result<Vec<_>, _> = suite.contenders.iter().map(count).collect();
        Ok(compare(nanoseconds.into_iter().zip(allocations?)))
    });
    let columns: anyhow::Result<_> = columns.collect();
    Ok(Table {
        suite,
        columns: columns?,
    })
}

/// What the first takes, and what the others take more.
fn compare(mut taken: impl Iterator<Item = (Vec<f64>, f64)>) -> Vec<Cost> {
    let Some((bare, bare_allocations)) = taken.next() else {
        return Vec::new();
    };
    let mut costs = vec![Cost::new(bare.clone(), bare_allocations)];
    costs.extend(taken.map(|(nanoseconds, allocations)| {
        let rounds = nanoseconds.iter().zip(&bare);
        let added = rounds.map(|(nanoseconds, bare)| nanoseconds - bare);
        Cost::new(added.collect(), allocations - bare_allocations)
    }));
    costs
}

/// The rounds of each contender.
///
/// Each has a process, and they take turns: forwards, backwards, and again with another one
/// first.
fn time(suite: &Suite, mode: Mode, rounds: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut taken = vec![Vec::with_capacity(rounds); suite.contenders.len()];
    for first in (0..rounds).step_by(ROUNDS_OF_A_PROCESS) {
        let start = |contender| Process::start(NANOSECONDS, suite, contender, mode);
        let processes: Result<Vec<_>, _> = suite.contenders.iter().map(start).collect();
        let mut turns: Vec<_> = processes?.into_iter().zip(&mut taken).collect();
        for round in first..rounds.min(first + ROUNDS_OF_A_PROCESS) {
            for (process, taken) in &mut turns {
                taken.push(process.ask()?);
            }
            turns.reverse();
            turns.rotate_left(round % 2);
        }
        for (process, _) in turns {
            process.end()?;
        }
    }
    Ok(taken)
}

fn count(suite: &Suite, contender: &Contender, mode: Mode) -> anyhow::Result<f64> {
    let mut process = Process::start(ALLOCATIONS, suite, contender, mode)?;
    let allocations = process.ask()?;
    process.end()?;
    Ok(allocations)
}
