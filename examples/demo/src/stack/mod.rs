//! Starts real servers and one process for every role, on free ports.

mod roles;

use dynamo_trace_testkit::servers::{EtcdServer, NatsServer, Process, ServerError};
use roles::Launcher;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the roles may take to stop: longer than they may take to send their last spans.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// What a stack is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// This crate's executable, or another one that runs [`crate::main`].
    pub executable: PathBuf,
    /// How many decode workers.
    pub decode_workers: usize,
    /// Milliseconds between two tokens.
    pub token_delay: u64,
    /// Variables for every role, such as those of OpenTelemetry.
    pub environment: Vec<(String, String)>,
    /// A second OTLP endpoint for every role.
    pub also_export_to: Option<String>,
}

impl Config {
    /// Two decode workers that export to this OTLP endpoint (gRPC), without much delay.
    #[must_use]
    pub fn new(executable: PathBuf, otlp: &str) -> Self {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ];
        Self {
            executable,
            decode_workers: 2,
            token_delay: 5,
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            also_export_to: None,
        }
    }
}

/// Five kinds of processes and two servers, all killed when this is dropped.
#[derive(Debug)]
pub struct Stack {
    frontend: String,
    // Dropped in this order: the roles before the servers, all before the folder of their logs.
    roles: Vec<Process>,
    etcd: EtcdServer,
    nats: NatsServer,
    _folder: TempDir,
}

impl Stack {
    /// Starts everything and waits until the frontend knows its workers.
    ///
    /// # Errors
    ///
    /// If a server is not installed, or something ends or is not ready in time; the error shows
    /// its last log lines. What was started is stopped.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        let folder = TempDir::new()?;
        let (nats, etcd) = tokio::try_join!(NatsServer::start(), EtcdServer::start())?;
        let mut launcher = Launcher::new(config, folder.path(), &nats, &etcd);
        let frontend = launcher.start_all().await?;
        Ok(Self {
            frontend,
            roles: launcher.into_roles(),
            etcd,
            nats,
            _folder: folder,
        })
    }

    /// Where the frontend serves: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn frontend(&self) -> &str {
        &self.frontend
    }

    /// The process of a role.
    pub fn role(&mut self, name: &str) -> Option<&mut Process> {
        self.roles.iter_mut().find(|role| role.name() == name)
    }

    /// Kills a role as a crash would; tells whether there was one of this name.
    pub fn kill(&mut self, name: &str) -> bool {
        let at = self.roles.iter().position(|role| role.name() == name);
        at.map(|at| self.roles.swap_remove(at)).is_some()
    }

    /// Asks the roles to stop, so that they send their last spans, and waits for them; what they
    /// could not do, by their own last words.
    pub async fn stop(mut self) -> Vec<String> {
        self.roles.iter_mut().for_each(Process::close_stdin);
        let deadline = Instant::now() + STOP_WITHIN;
        while self.roles.iter_mut().any(|role| role.ended().is_none()) && Instant::now() < deadline
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let failed = |role: &mut Process| {
            let how = role.ended().unwrap_or_else(|| "did not stop".to_owned());
            let stopped = how.ends_with("exit status: 0");
            (!stopped).then(|| format!("{}: {}", role.name(), role.log_tail(1)))
        };
        self.roles.iter_mut().filter_map(failed).collect()
    }

    /// The first process that has ended by itself, as an error with its last log lines.
    pub fn failed(&mut self) -> Option<ServerError> {
        let servers = [self.nats.process(), self.etcd.process()];
        servers
            .into_iter()
            .chain(&mut self.roles)
            .find_map(|process| {
                let how = process.ended()?;
                Some(process.failure(how))
            })
    }
}
