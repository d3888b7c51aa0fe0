//! `etcd`: one member, or a cluster of three.

mod cluster;
mod member;

pub use cluster::EtcdCluster;

use super::{Process, ServerError, free_port, on_free_port};
use member::{Member, Tls};
use std::path::Path;
use std::process::Command;

/// An `etcd` of one's own, with one member.
#[derive(Debug)]
pub struct EtcdServer {
    // Dropped before the folder that it writes to.
    process: Process,
    member: Member,
}

impl EtcdServer {
    /// The command that installs it on Debian and Ubuntu; elsewhere see <https://etcd.io/docs/latest/install>.
    pub const INSTALL: &str = "apt-get install -y etcd-server";

    /// Starts one and waits until it answers: the program that the environment variable
    /// `ETCD_PROGRAM` says, else the one on `PATH`.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] where `etcd` is not installed.
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with(&[]).await
    }

    /// Starts one with more arguments.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), and [`ServerError::Failed`] where the server does not
    /// take the arguments.
    pub async fn start_with(arguments: &[&str]) -> Result<Self, ServerError> {
        Self::run(arguments, None).await
    }

    /// Starts one that clients reach by TLS alone, with this certificate and its key, both files
    /// in PEM.
    ///
    /// # Errors
    ///
    /// Those of [`start_with`](Self::start_with).
    pub async fn start_with_tls(
        certificate: &Path,
        key: &Path,
        arguments: &[&str],
    ) -> Result<Self, ServerError> {
        Self::run(arguments, Some((certificate, key))).await
    }

    async fn run(arguments: &[&str], tls: Option<(&Path, &Path)>) -> Result<Self, ServerError> {
        on_free_port(async |port| {
            let mut member = Member::new("default", port, arguments)?;
            if let Some((certificate, key)) = tls {
                member.tls = Some(Tls {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                    health_port: free_port()?,
                });
            }
            let mut process = member.spawn(&member.peer())?;
            member.until_healthy(&mut process).await?;
            Ok(Self { process, member })
        })
        .await
    }

    /// Kills it, as a crash would, and starts it again: on the same ports, with what it had
    /// stored.
    ///
    /// # Errors
    ///
    /// Those of [`start_with`](Self::start_with).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process.kill();
        self.process = self.member.spawn(&self.member.peer())?;
        self.member.until_healthy(&mut self.process).await
    }

    /// The major and the minor version of the program that is started.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] where `etcd` is not installed, and [`ServerError::Failed`] where
    /// it does not say.
    pub fn version() -> Result<(u32, u32), ServerError> {
        let output = Command::new(member::program()?).arg("--version").output()?;
        let output = String::from_utf8_lossy(&output.stdout);
        read_version(&output).ok_or_else(|| ServerError::Failed {
            program: "etcd".to_owned(),
            what: "did not say its version".to_owned(),
            log: output.into_owned(),
        })
    }

    /// What clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.member.endpoint()
    }

    /// The process.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn read_version(output: &str) -> Option<(u32, u32)> {
    let version = output.lines().next()?.strip_prefix("etcd Version: ")?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_first_line() {
        let output = "etcd Version: 3.7.3\nGit SHA: abc\nGo Version: go1.26\n";
        assert_eq!(read_version(output), Some((3, 7)));
        assert_eq!(read_version("etcd Version: 3.5.0-rc.1\n"), Some((3, 5)));
        assert_eq!(read_version("Git SHA: abc"), None);
        assert_eq!(read_version(""), None);
    }

    #[test]
    fn the_program_has_one() {
        assert!(EtcdServer::version().unwrap() >= (3, 4));
    }
}
