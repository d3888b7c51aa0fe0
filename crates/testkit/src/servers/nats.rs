use super::{Process, ServerError, find_program, on_free_port, without_variables};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A `nats-server` of one's own, with JetStream.
#[derive(Debug)]
pub struct NatsServer {
    // Dropped before the folder that it writes to.
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl NatsServer {
    /// The command that installs it on Debian and Ubuntu.
    pub const INSTALL: &str = "apt-get install -y nats-server";

    /// Starts one and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] where `nats-server` is not installed.
    pub async fn start() -> Result<Self, ServerError> {
        on_free_port(Self::start_on).await
    }

    async fn start_on(port: u16) -> Result<Self, ServerError> {
        let program = find_program("nats-server").ok_or(ServerError::Missing {
            program: "nats-server",
            install: Self::INSTALL,
        })?;
        let folder = TempDir::new()?;
        let mut command = Command::new(program);
        without_variables(&mut command, "NATS_");
        command
            .args([
                "--addr",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--jetstream",
            ])
            .arg("--store_dir")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null());
        let mut process = Process::spawn("nats-server", &mut command, folder.path().join("log"))?;
        process
            .until(|| async move {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
                let mut greeting = [0; 5];
                stream.read_exact(&mut greeting).await.ok()?;
                (&greeting == b"INFO ").then_some(())
            })
            .await?;
        Ok(Self {
            process,
            port,
            _folder: folder,
        })
    }

    /// What clients connect to: `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The process.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
