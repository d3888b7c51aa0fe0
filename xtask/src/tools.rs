//! Finds the servers and tools that tests and demo need, and installs what is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program, and the packages that have it.
struct Tool {
    program: &'static str,
    debian: &'static str,
    brew: &'static str,
}

const TOOLS: [Tool; 4] = [
    Tool {
        program: "nats-server",
        debian: "nats-server",
        brew: "nats-server",
    },
    Tool {
        program: "etcd",
        debian: "etcd-server",
        brew: "etcd",
    },
    Tool {
        program: "etcdctl",
        debian: "etcd-client",
        brew: "etcd",
    },
    Tool {
        program: "protoc",
        debian: "protobuf-compiler",
        brew: "protobuf",
    },
];

/// The program's file on `PATH`, or where the system's packages put servers.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The variable by which builds find `protoc`, where it is not on `PATH`.
pub(crate) fn protoc() -> Option<(&'static str, PathBuf)> {
    let known = std::env::var_os("PROTOC").is_some();
    let file = on_path("protoc").filter(|_| !known)?;
    Some(("PROTOC", file))
}

/// Makes sure that every tool is there.
///
/// Installs what is missing with the system's package manager if it may, else says which command
/// does it.
pub(crate) fn ensure() -> Result<(), String> {
    let missing = || TOOLS.iter().filter(|tool| on_path(tool.program).is_none());
    if missing().next().is_none() {
        return Ok(());
    }
    let names: Vec<_> = missing().map(|tool| tool.program).collect();
    let names = names.join(", ");
    let commands = if on_path("apt-get").is_some() {
        let packages: Vec<_> = missing().map(|tool| tool.debian).collect();
        let install = format!("apt-get install -y {}", packages.join(" "));
        match privilege() {
            Some(prefix) => vec![
                format!("{prefix}apt-get update"),
                format!("{prefix}{install}"),
            ],
            None => {
                return Err(format!(
                    "not found: {names}\ninstall with: sudo apt-get update && sudo {install}"
                ));
            }
        }
    } else if on_path("brew").is_some() {
        let packages: Vec<_> = missing().map(|tool| tool.brew).collect();
        vec![format!("brew install {}", packages.join(" "))]
    } else {
        return Err(format!(
            "not found: {names}\ninstall them so that they are on PATH: \
             https://nats.io/download, https://etcd.io/docs/latest/install, \
             https://protobuf.dev/installation"
        ));
    };
    eprintln!("not found: {names}");
    commands.iter().try_for_each(|command| shell(command))?;
    match missing().next() {
        None => Ok(()),
        Some(tool) => Err(format!("`{}` is still not on PATH", tool.program)),
    }
}

/// Makes sure that Python can make a virtual environment, where the system's packages can be
/// installed: else the tests that need one say so, and are skipped.
pub(crate) fn ensure_python() {
    let probe = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status();
    if probe.is_ok_and(|status| status.success()) || on_path("apt-get").is_none() {
        return;
    }
    let Some(prefix) = privilege() else { return };
    eprintln!("not found: python3-venv");
    let commands = ["apt-get update", "apt-get install -y python3-venv"];
    let mut commands = commands.iter();
    if let Err(message) = commands.try_for_each(|command| shell(&format!("{prefix}{command}"))) {
        eprintln!("{message}");
    }
}

/// What to put before a command that root runs: nothing for root, else sudo if it asks for no
/// password.
fn privilege() -> Option<&'static str> {
    let quiet = |program: &str, argument: &[&str]| {
        Command::new(program)
            .args(argument)
            .stderr(Stdio::null())
            .output()
            .ok()
    };
    if quiet("id", &["-u"]).is_some_and(|id| id.stdout.trim_ascii() == b"0") {
        return Some("");
    }
    let sudo = quiet("sudo", &["-n", "true"])?;
    sudo.status.success().then_some("sudo -n ")
}

fn shell(command: &str) -> Result<(), String> {
    eprintln!("$ {command}");
    let status = Command::new("sh")
        .args(["-c", command])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .map_err(|error| format!("{command}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{command}` failed: {status}"))
    }
}
