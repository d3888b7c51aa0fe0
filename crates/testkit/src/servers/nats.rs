use super::{Process, ServerError, chosen_program, on_free_port, said, without_variables};
use std::path::Path;
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
    folder: TempDir,
}

impl NatsServer {
    /// The command that installs it on Debian and Ubuntu.
    pub const INSTALL: &str = "apt-get install -y nats-server";

    /// Starts one, with JetStream, and waits until it answers: the program that the environment
    /// variable `NATS_SERVER_PROGRAM` says, else the one on `PATH`.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] where `nats-server` is not installed.
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with("").await
    }

    /// Starts one with this text as its configuration file.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), and [`ServerError::Failed`] where the server does not
    /// take the configuration.
    pub async fn start_with(config: &str) -> Result<Self, ServerError> {
        on_free_port(async |port| {
            let folder = TempDir::new()?;
            std::fs::write(folder.path().join("config"), config)?;
            let process = run(port, folder.path()).await?;
            Ok(Self {
                process,
                port,
                folder,
            })
        })
        .await
    }

    /// Kills it, as a crash would, and starts it again: on the same port, with what it had
    /// stored.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process.kill();
        self.process = run(self.port, self.folder.path()).await?;
        Ok(())
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

async fn run(port: u16, folder: &Path) -> Result<Process, ServerError> {
    let program =
        chosen_program("NATS_SERVER_PROGRAM", "nats-server").ok_or(ServerError::Missing {
            program: "nats-server",
            install: NatsServer::INSTALL,
        })?;
    let mut command = Command::new(program);
    without_variables(&mut command, "NATS_");
    command
        .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .arg("--jetstream")
        .arg("--store_dir")
        .arg(folder.join("data"))
        .arg("--config")
        .arg(folder.join("config"))
        .stdin(Stdio::null());
    let log = folder.join("log");
    let mut process = Process::spawn("nats-server", &mut command, log.clone())?;
    process
        .until(async || {
            // Its own word: on the same port may be the server of another process.
            let is_ready = said(&log, "Server is ready") && greets(port).await;
            is_ready.then_some(())
        })
        .await?;
    Ok(process)
}

async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await?;
        std::io::Result::Ok(greeting)
    };
    greeting.await.is_ok_and(|greeting| &greeting == b"INFO ")
}
