//! A child, as its parent sees it.

use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

use crate::contender::{Contender, Suite};
use crate::telemetry::Mode;

/// The program that times, and the one that counts.
pub(crate) const NANOSECONDS: &str = "nanoseconds";
pub(crate) const ALLOCATIONS: &str = "allocations";

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the program that is beside this one, and waits until it is warm.
    pub(crate) fn start(
        program: &str,
        suite: &Suite,
        contender: &Contender,
        mode: Mode,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?.with_file_name(program))
            .args([suite.name, contender.name, mode.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{program}`: is it built?"))?;
        let questions = child.stdin.take().context("no pipe")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe")?).lines();
        let mut process = Self {
            child,
            questions,
            answers,
        };
        let warm = process.answer();
        warm.with_context(|| format!("{}, {}, {}", suite.name, contender.name, mode.name()))?;
        Ok(process)
    }

    /// What a call takes.
    pub(crate) fn ask(&mut self) -> anyhow::Result<f64> {
        writeln!(self.questions)?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<f64> {
        Ok(self.answers.next().context("no answer")??.parse()?)
    }

    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        drop(self.questions);
        self.child.wait()?;
        Ok(())
    }
}
