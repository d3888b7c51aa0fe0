use super::Config;
use crate::role::Ready;
use dynamo_trace_testkit::servers::{EtcdServer, NatsServer, Process, ServerError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Starts roles one after the other.
pub(super) struct Launcher<'c> {
    config: &'c Config,
    folder: PathBuf,
    nats: String,
    etcd: String,
    roles: Vec<Process>,
}

impl<'c> Launcher<'c> {
    pub(super) fn new(
        config: &'c Config,
        folder: &Path,
        nats: &NatsServer,
        etcd: &EtcdServer,
    ) -> Self {
        Self {
            config,
            folder: folder.to_owned(),
            nats: nats.url(),
            etcd: etcd.endpoint(),
            roles: Vec::new(),
        }
    }

    pub(super) fn into_roles(self) -> Vec<Process> {
        self.roles
    }

    /// Starts all roles; the frontend's URL.
    pub(super) async fn start_all(&mut self) -> Result<String, ServerError> {
        let router = self.start("router", &["router"]).await?;
        self.start("prefill-1", &["prefill", "--name", "prefill-1"])
            .await?;
        let delay = self.config.token_delay.to_string();
        for number in 1..=self.config.decode_workers {
            let name = format!("decode-{number}");
            let arguments = ["decode", "--name", &name, "--token-delay", &delay];
            self.start(&name, &arguments).await?;
        }
        let router = format!("http://{}", router.address);
        let arguments = ["frontend", "--listen", "127.0.0.1:0", "--router", &router];
        let frontend = self.start("frontend", &arguments).await?;
        self.until_workers_known(&frontend.address).await?;
        Ok(format!("http://{}", frontend.address))
    }

    async fn start(&mut self, name: &str, arguments: &[&str]) -> Result<Ready, ServerError> {
        let mut command = Command::new(&self.config.executable);
        // What the user's shell says is meant for the user's own services.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .arg("--exit-with-stdin")
            .envs(self.config.environment.iter().cloned())
            .stdin(Stdio::piped());
        if !arguments.contains(&"router") {
            command.args(["--nats", &self.nats, "--etcd", &self.etcd]);
        }
        if let Some(url) = &self.config.also_export_to {
            command.args(["--also-export-to", url]);
        }
        let log = self.folder.join(format!("{name}.log"));
        let mut process = Process::spawn(name, &mut command, log.clone())?;
        let ready = process
            .until(|| {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                std::future::ready(Ready::find(&log))
            })
            .await?;
        self.roles.push(process);
        Ok(ready)
    }

    async fn until_workers_known(&mut self, address: &str) -> Result<(), ServerError> {
        let workers = self.config.decode_workers.to_string();
        let Some(frontend) = self.roles.last_mut() else {
            return Ok(());
        };
        frontend
            .until(|| async {
                let answer = ask_health(address).await.ok()?;
                answer.ends_with(&workers).then_some(())
            })
            .await
    }
}

async fn ask_health(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
