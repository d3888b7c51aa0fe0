//! Real servers for tests and demos, each started on a free loopback port and killed when its
//! handle is dropped.

mod etcd;
mod nats;
mod process;

pub use etcd::{EtcdCluster, EtcdServer};
pub use nats::NatsServer;
pub use process::Process;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a server may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The program is not installed.
    #[error("`{program}` is not on PATH; install it: {install}")]
    Missing {
        /// The program that was looked for.
        program: &'static str,
        /// The command that installs it on Debian and Ubuntu.
        install: &'static str,
    },
    /// The program ended, or did not answer in time.
    #[error("`{program}` {what}; its last log lines:\n{log}")]
    Failed {
        /// The program.
        program: String,
        /// What it did.
        what: String,
        /// The end of its log.
        log: String,
    },
    /// A port, file or process could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where a program is: on `PATH`, or where the system's packages put servers, which is not on
/// everybody's `PATH`.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The program that the environment variable says, else the one on `PATH`.
fn chosen_program(variable: &str, name: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(chosen) if !chosen.is_empty() => Some(chosen.into()),
        _ => find_program(name),
    }
}

/// Removes what the environment would tell a server.
fn without_variables(command: &mut Command, prefix: &str) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(prefix) {
            command.env_remove(name);
        }
    }
}

/// Whether the log has this text.
fn said(log: &Path, text: &str) -> bool {
    std::fs::read(log).is_ok_and(|log| String::from_utf8_lossy(&log).contains(text))
}

/// A port that was free a moment ago. Another process may take it before it is used: starters
/// try again with another one.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Tries a start on several ports, in case somebody else takes one.
async fn on_free_port<S, F>(start: impl Fn(u16) -> F) -> Result<S, ServerError>
where
    F: Future<Output = Result<S, ServerError>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match start(free_port()?).await {
            Err(ServerError::Failed { log, .. })
                if tries < 3 && log.contains("address already in use") => {}
            done => return done,
        }
    }
}
