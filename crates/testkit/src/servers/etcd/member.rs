use super::EtcdServer;
use crate::servers::{Process, ServerError, chosen_program, free_port, said, without_variables};
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where a member listens, what it is told, and where it stores.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    port: u16,
    peer_port: u16,
    arguments: Vec<String>,
    pub(super) tls: Option<Tls>,
    folder: TempDir,
}

/// With which certificate clients are answered; its health a member then tells on another port.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) health_port: u16,
}

impl Member {
    pub(super) fn new(name: &str, port: u16, arguments: &[&str]) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            port,
            peer_port: free_port()?,
            arguments: arguments.iter().copied().map(String::from).collect(),
            tls: None,
            folder: TempDir::new()?,
        })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its name and its address, as `--initial-cluster` lists them.
    pub(super) fn peer(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peer_port)
    }

    /// Starts it as one of these peers.
    pub(super) fn spawn(&self, peers: &str) -> Result<Process, ServerError> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let clients = format!("{scheme}://{}", self.endpoint());
        let own = format!("http://127.0.0.1:{}", self.peer_port);
        let mut command = Command::new(program()?);
        without_variables(&mut command, "ETCD_");
        command
            .args(["--name", &self.name])
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &own])
            .args(["--initial-advertise-peer-urls", &own])
            .args(["--initial-cluster", peers]);
        if let Some(tls) = &self.tls {
            let health = format!("http://127.0.0.1:{}", tls.health_port);
            command
                .arg("--cert-file")
                .arg(&tls.certificate)
                .arg("--key-file")
                .arg(&tls.key)
                .args(["--listen-metrics-urls", &health]);
        }
        command.args(&self.arguments).stdin(Stdio::null());
        let log = self.folder.path().join("log");
        Ok(Process::spawn("etcd", &mut command, log)?)
    }

    /// Waits for `/health`, which is true once the member has a leader.
    pub(super) async fn until_healthy(&self, process: &mut Process) -> Result<(), ServerError> {
        let port = self.tls.as_ref().map_or(self.port, |tls| tls.health_port);
        let log = self.folder.path().join("log");
        let healthy = async || {
            // Its own word: on the same port may be the server of another process.
            if !said(&log, "ready to serve client requests") {
                return None;
            }
            let answer = ask(port, "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
            answer
                .is_ok_and(|answer| answer.contains(r#""health":"true""#))
                .then_some(())
        };
        process.until(healthy).await
    }

    /// Whether it is the leader, in its own eyes; `None` where it does not answer.
    pub(super) async fn leads(&self) -> Option<bool> {
        let ask = ask(
            self.port,
            "POST /v3/maintenance/status HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        );
        let answer = ask.await.ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let status: serde_json::Value = serde_json::from_str(body).ok()?;
        let own = status.get("header")?.get("member_id")?;
        Some(status.get("leader")? == own)
    }
}

pub(super) fn program() -> Result<PathBuf, ServerError> {
    chosen_program("ETCD_PROGRAM", "etcd").ok_or(ServerError::Missing {
        program: "etcd",
        install: EtcdServer::INSTALL,
    })
}

/// What it says to this request.
async fn ask(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
