use super::{Process, ServerError, chosen_program, free_port, on_free_port, without_variables};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An `etcd` of one's own, with one member.
#[derive(Debug)]
pub struct EtcdServer {
    // Dropped before the folder that it writes to.
    process: Process,
    port: u16,
    peer_port: u16,
    arguments: Vec<String>,
    folder: TempDir,
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
        on_free_port(async |port| {
            let folder = TempDir::new()?;
            let peer_port = free_port()?;
            let arguments: Vec<_> = arguments.iter().copied().map(String::from).collect();
            let process = run(port, peer_port, &arguments, folder.path()).await?;
            Ok(Self {
                process,
                port,
                peer_port,
                arguments,
                folder,
            })
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
        self.process = run(
            self.port,
            self.peer_port,
            &self.arguments,
            self.folder.path(),
        )
        .await?;
        Ok(())
    }

    /// What clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Asks `/health`, which is true once the member has a leader.
async fn run(
    port: u16,
    peer_port: u16,
    arguments: &[String],
    folder: &Path,
) -> Result<Process, ServerError> {
    let program = chosen_program("ETCD_PROGRAM", "etcd").ok_or(ServerError::Missing {
        program: "etcd",
        install: EtcdServer::INSTALL,
    })?;
    let clients = format!("http://127.0.0.1:{port}");
    let peers = format!("http://127.0.0.1:{peer_port}");
    let mut command = Command::new(program);
    without_variables(&mut command, "ETCD_");
    command
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--listen-client-urls", &clients])
        .args(["--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers])
        .args(["--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("default={peers}")])
        .args(arguments)
        .stdin(Stdio::null());
    let mut process = Process::spawn("etcd", &mut command, folder.join("log"))?;
    process
        .until(|| async move { healthy(port).await.then_some(()) })
        .await?;
    Ok(process)
}

async fn healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await
        .is_ok_and(|answer| answer.contains(r#""health":"true""#))
}
