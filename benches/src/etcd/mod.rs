//! What the etcd client costs: calls of a real server on this machine, one at a time.
//!
//! In one process, and with a connection for each side: etcd-client alone, and ours below a
//! sampled caller. They take turns call by call, and each call is compared with the other's beside
//! it: what slows the disk slows both.

mod disk;
mod side;
mod turn;

use anyhow::Context;
use dynamo_trace_testkit::servers::EtcdServer;
use side::Side;
use std::fmt::Write;
use tokio::runtime::Runtime;
use turn::Turn;

/// How many calls a round has of each side.
const CALLS: usize = 20;

/// What was measured with, and the table.
pub(crate) fn measure(rounds: usize) -> anyhow::Result<String> {
    let runtime = Runtime::new()?;
    let (major, minor) = EtcdServer::version()?;
    let server = runtime.block_on(EtcdServer::start())?;
    let calls = rounds * CALLS;
    let mut text = format!(
        "Microseconds (median of {calls} calls, ± half the interquartile range), etcd {major}.{minor} \
         that writes through to {} at each put.\n\n\
         | etcd | etcd-client | dynamo-trace | ratio |\n|---|--:|--:|--:|",
        disk::of_temporary_files()
    );
    for turn in Turn::ALL {
        eprintln!("etcd, {} ..", turn.name());
        let microseconds = runtime.block_on(time(turn, &server.endpoint(), calls))?;
        let row = row(turn, microseconds).context("no calls")?;
        write!(text, "\n{row}")?;
    }
    Ok(text)
}

/// The microseconds of every call of either side.
async fn time(turn: Turn, endpoint: &str, calls: usize) -> anyhow::Result<[Vec<f64>; 2]> {
    let mut sides = Side::both(endpoint, turn).await?;
    let mut microseconds = [Vec::with_capacity(calls), Vec::with_capacity(calls)];
    for side in &mut sides {
        for _ in 0..CALLS {
            side.take().await?;
        }
    }
    for call in 0..calls {
        let mut order: Vec<_> = sides.iter_mut().zip(&mut microseconds).collect();
        order.rotate_left(call % 2);
        for (side, microseconds) in order {
            microseconds.push(side.take().await?.as_secs_f64() * 1e6);
        }
    }
    Ok(microseconds)
}

fn row(turn: Turn, [plain, traced]: [Vec<f64>; 2]) -> Option<String> {
    let ratios = plain
        .iter()
        .zip(&traced)
        .map(|(plain, traced)| traced / plain);
    let (ratio, _) = median(ratios.collect())?;
    let ((plain, plain_spread), (traced, traced_spread)) = (median(plain)?, median(traced)?);
    Some(format!(
        "| {} | {plain:.0} ±{plain_spread:.0} | {traced:.0} ±{traced_spread:.0} | **×{ratio:.2}** |",
        turn.name()
    ))
}

/// And half the interquartile range.
fn median(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let quartile = |number| values.get(values.len() * number / 4).copied();
    Some((quartile(2)?, (quartile(3)? - quartile(1)?) / 2.0))
}
