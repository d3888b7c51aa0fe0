//! The script beside this, as a process.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/peer.py");

/// How long a line may take: an interpreter starts slowly on a machine that compiles.
const SOON: Duration = Duration::from_secs(60);

/// Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// A peer that sends to `work`, in the context of these fields.
    pub(crate) fn sender(python: &Path, url: &str, action: &str, fields: &Fields) -> Self {
        Self::start(python, &[url, action, "work", &json!(fields).to_string()])
    }

    /// A peer that receives from `work`, and is ready to.
    pub(crate) async fn receiver(python: &Path, url: &str, action: &str) -> Self {
        let mut peer = Self::start(python, &[url, action, "work", "{}"]);
        assert_eq!(peer.line().await, "ready");
        peer
    }

    fn start(python: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(python);
        for (name, _) in std::env::vars_os() {
            if ["OTEL_", "PYTHON"]
                .iter()
                .any(|own| name.to_string_lossy().starts_with(own))
            {
                command.env_remove(name);
            }
        }
        command.arg(SCRIPT).args(arguments).kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// What it prints next.
    pub(crate) async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(SOON, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing within {SOON:?}"));
        match line.unwrap() {
            Some(line) => serde_json::from_str(&line).unwrap(),
            None => panic!("{}", self.complaint().await),
        }
    }

    async fn complaint(&mut self) -> String {
        let mut complaint = String::new();
        let stderr = self.child.stderr.take();
        stderr
            .unwrap()
            .read_to_string(&mut complaint)
            .await
            .unwrap();
        complaint
    }
}

/// Header fields.
pub(crate) type Fields = std::collections::BTreeMap<&'static str, String>;
