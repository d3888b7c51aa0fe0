use super::{READY_WITHIN, ServerError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// A child process whose output goes to a log file; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs in `log`, which is overwritten. Standard input stays
    /// as the command has it.
    ///
    /// # Errors
    ///
    /// If the log cannot be written or the process cannot be started.
    pub fn spawn(name: &str, command: &mut Command, log: PathBuf) -> io::Result<Self> {
        let output = File::create(&log)?;
        let child = command
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            .spawn()?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file of its output.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it has written.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last `lines` lines of what it has written.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<_> = log.lines().collect();
        let tail = all.get(all.len().saturating_sub(lines)..);
        tail.unwrap_or_default().join("\n")
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait();
        match status {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("ended with {status}")),
            Err(error) => Some(format!("cannot be waited for: {error}")),
        }
    }

    /// Ends its standard input, if that is a pipe.
    pub fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it, but does not end it: its sockets stay open, and nobody reads them.
    ///
    /// # Errors
    ///
    /// Where it has ended, and elsewhere than on Linux.
    pub fn pause(&mut self) -> io::Result<()> {
        let signal = Command::new("kill")
            .args(["-STOP", &self.id().to_string()])
            .status()?;
        if !signal.success() {
            return Err(io::Error::other(format!("kill {signal}")));
        }
        // The signal is answered some time after it is sent, thread by thread.
        while !self.is_paused()? {
            std::thread::yield_now();
        }
        Ok(())
    }

    fn is_paused(&self) -> io::Result<bool> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            if !state.is_some_and(|state| state.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An error that shows the end of the log.
    #[must_use]
    pub fn failure(&self, what: impl Into<String>) -> ServerError {
        ServerError::Failed {
            program: self.name.clone(),
            what: what.into(),
            log: self.log_tail(20),
        }
    }

    /// Waits until `ready` gives a value, while the process lives.
    ///
    /// # Errors
    ///
    /// [`ServerError::Failed`] when it ends first, or after 30 seconds.
    pub async fn until<T, F>(&mut self, mut ready: impl FnMut() -> F) -> Result<T, ServerError>
    where
        F: Future<Output = Option<T>>,
    {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let answer = tokio::time::timeout_at(deadline, ready()).await;
            // Asked first: on the port of a process that ended somebody else may have answered.
            if let Some(how) = self.ended() {
                return Err(self.failure(how));
            }
            match answer {
                Ok(Some(value)) => return Ok(value),
                Ok(None) if Instant::now() < deadline => {}
                _ => return Err(self.failure(format!("was not ready within {READY_WITHIN:?}"))),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spawn(shell: &str, folder: &Path) -> Process {
        let mut command = Command::new("sh");
        Process::spawn("sh", command.args(["-c", shell]), folder.join("log")).unwrap()
    }

    #[test]
    fn a_paused_process_does_nothing_and_can_be_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut busy = spawn("while :; do echo busy; done", folder.path());
        busy.pause().unwrap();
        let written = busy.log().len();
        for _ in 0..100 {
            std::thread::yield_now();
            assert_eq!(busy.log().len(), written);
        }
        assert_eq!(busy.ended(), None);
        busy.kill();
        assert!(busy.ended().is_some());
        busy.pause().unwrap_err();
    }

    #[tokio::test]
    async fn an_answer_of_somebody_else_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = spawn("exit 3", folder.path());
        ended.child.wait().unwrap();
        let error = ended.until(async || Some(())).await.unwrap_err();
        assert!(error.to_string().contains("ended with"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut hangs = spawn("exec sleep 600", folder.path());
        let error = hangs.until(std::future::pending::<Option<()>>).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("was not ready within 30s"), "{error}");
    }
}
