//! The process in which one contender is measured.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::calls::{BATCH, Batch};
use crate::contender::SUITES;
use crate::telemetry::{Mode, Needs, ended};

const TURN: Duration = Duration::from_millis(20);

/// Runs what it is given and says what it took.
pub type Meter = fn(&mut dyn FnMut()) -> u64;

/// Measures one contender each time it reads a line from its standard input.
#[derive(Debug, clap::Parser)]
pub struct Child {
    suite: String,
    contender: String,
    mode: Mode,
}

impl Child {
    /// Answers with what a call took by this meter, on the average.
    ///
    /// The first answer comes unasked, when the process is warm.
    ///
    /// # Errors
    ///
    /// If a call fails, or makes other spans than it should.
    #[expect(clippy::print_stdout, reason = "the parent reads it there")]
    pub fn run(&self, meter: Meter) -> anyhow::Result<()> {
        let mut suites = SUITES.into_iter();
        let suite = suites.find(|suite| suite.name == self.suite);
        let suite = suite.context("no such suite")?;
        let mut contenders = suite.contenders.iter();
        let contender = contenders.find(|contender| contender.name == self.contender);
        let contender = contender.context("no such contender")?;

        self.mode.install(contender.needs)?;
        let mut batch = (contender.build)((suite.exchange)(self.mode)?);
        batch.prepare();
        batch.run()?;
        let records = self.mode == Mode::Sampled && contender.needs != Needs::Nothing;
        expect(if records { BATCH } else { 0 })?;
        println!("{}", turn(&mut *batch, meter)?);
        for line in io::stdin().lines() {
            line?;
            println!("{}", turn(&mut *batch, meter)?);
        }
        Ok(())
    }
}

/// So many spans, each a child of the caller's.
fn expect(spans: usize) -> anyhow::Result<()> {
    let [ended, children] = ended();
    ensure!(
        ended == spans && children == spans,
        "{BATCH} calls made {ended} spans, {children} of them below the caller's, instead of {spans}"
    );
    Ok(())
}

/// What a call took.
fn turn(batch: &mut dyn Batch, meter: Meter) -> anyhow::Result<f64> {
    let start = Instant::now();
    let (mut taken, mut calls) = (0, 0);
    while start.elapsed() < TURN {
        batch.prepare();
        let mut done = Ok(());
        taken += meter(&mut || done = batch.run());
        done?;
        calls += BATCH;
    }
    Ok(taken as f64 / calls as f64)
}
