use super::{Process, ServerError, find_program, free_port, on_free_port, without_variables};
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
    _folder: TempDir,
}

impl EtcdServer {
    /// The command that installs it on Debian and Ubuntu; elsewhere see <https://etcd.io/docs/latest/install>.
    pub const INSTALL: &str = "apt-get install -y etcd-server";

    /// Starts one and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] where `etcd` is not installed.
    pub async fn start() -> Result<Self, ServerError> {
        on_free_port(Self::start_on).await
    }

    async fn start_on(port: u16) -> Result<Self, ServerError> {
        let program = find_program("etcd").ok_or(ServerError::Missing {
            program: "etcd",
            install: Self::INSTALL,
        })?;
        let folder = TempDir::new()?;
        let clients = format!("http://127.0.0.1:{port}");
        let peers = format!("http://127.0.0.1:{}", free_port()?);
        let mut command = Command::new(program);
        without_variables(&mut command, "ETCD_");
        command
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            .stdin(Stdio::null());
        let mut process = Process::spawn("etcd", &mut command, folder.path().join("log"))?;
        process
            .until(|| async move { healthy(port).await.then_some(()) })
            .await?;
        Ok(Self {
            process,
            port,
            _folder: folder,
        })
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
