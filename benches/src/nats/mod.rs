//! What the NATS client costs: messages and requests through a real server on this machine.
//!
//! In one process, and with a connection for each side: plain async-nats, which sends a header as
//! long as ours; ours below a caller that is not sampled; and ours below one that is. They take
//! turns, and each turn is compared with the plain one of the same round.
//!
//! Publishing in a tight loop is a race between the publisher and the connection's task. Whoever is
//! faster waits for the other, and a connection that waits writes less at a time: more is lost
//! than the publisher takes longer. What it takes itself is counted in the tests of the client.

mod side;
mod turn;

use crate::telemetry::Mode;
use anyhow::Context;
use dynamo_trace_testkit::servers::NatsServer;
use side::{Side, Subjects};
use std::fmt::Write;
use std::sync::Arc;
use tokio::runtime::Runtime;
use turn::Turn;

const PLAIN: Subjects = Subjects {
    nobody: "plain.nobody",
    events: "plain.events",
    work: "plain.work",
};
const UNSAMPLED: Subjects = Subjects {
    nobody: "unsampled.nobody",
    events: "unsampled.events",
    work: "unsampled.work",
};
const SAMPLED: Subjects = Subjects {
    nobody: "sampled.nobody",
    events: "sampled.events",
    work: "sampled.work",
};

/// The table.
pub(crate) fn measure(rounds: usize) -> anyhow::Result<String> {
    let runtime = Runtime::new()?;
    let server = runtime.block_on(NatsServer::start())?;
    let url = server.url();
    let sides = [
        runtime.block_on(Side::plain(&url, &PLAIN))?,
        runtime.block_on(Side::traced(&url, &UNSAMPLED, Mode::Unsampled))?,
        runtime.block_on(Side::traced(&url, &SAMPLED, Mode::Sampled))?,
    ]
    .map(Arc::new);
    let mut table = "| NATS | async-nats | unsampled | sampled |\n|---|--:|--:|--:|".to_owned();
    for turn in Turn::ALL {
        eprintln!("NATS, {} ..", turn.name);
        let seconds = time(&runtime, &turn, &sides, rounds)?;
        let row = row(&turn, &seconds).context("no rounds")?;
        write!(table, "\n{row}")?;
    }
    Ok(table)
}

/// The seconds of each turn of each side.
fn time(
    runtime: &Runtime,
    turn: &Turn,
    sides: &[Arc<Side>; 3],
    rounds: usize,
) -> anyhow::Result<[Vec<f64>; 3]> {
    let mut seconds = [const { Vec::new() }; 3];
    // Warm.
    for side in sides {
        turn.take(runtime, side)?;
    }
    for round in 0..rounds {
        let mut order: Vec<_> = sides.iter().zip(&mut seconds).collect();
        order.rotate_left(round % 3);
        if round % 2 == 1 {
            order.reverse();
        }
        for (side, seconds) in order {
            seconds.push(turn.take(runtime, side)?);
        }
    }
    Ok(seconds)
}

/// How many a second the plain side makes, and the others beside it.
fn row(turn: &Turn, [plain, traced @ ..]: &[Vec<f64>; 3]) -> Option<String> {
    let (seconds, _) = median(plain.clone())?;
    let mut row = format!(
        "| {}, per second | {:.0} |",
        turn.name,
        turn.count as f64 / seconds
    );
    for traced in traced {
        let ratios = plain
            .iter()
            .zip(traced)
            .map(|(plain, traced)| plain / traced);
        let (ratio, spread) = median(ratios.collect())?;
        row += &format!(" **×{ratio:.2}** ±{spread:.2} |");
    }
    Some(row)
}

/// And half the interquartile range.
fn median(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let quartile = |number| values.get(values.len() * number / 4).copied();
    Some((quartile(2)?, (quartile(3)? - quartile(1)?) / 2.0))
}
