//! The newest servers, built from their Go modules and kept in the target folder.

use crate::tools::on_path;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server's program in a Go module, and the variable by which tests are told of it.
struct Server {
    program: &'static str,
    module: &'static str,
    version: &'static str,
    variable: &'static str,
}

/// The versions are pinned here and nowhere else.
const SERVERS: [Server; 2] = [
    Server {
        program: "nats-server",
        module: "github.com/nats-io/nats-server/v2",
        version: "v2.15.2",
        variable: "NATS_SERVER_PROGRAM",
    },
    Server {
        program: "etcd",
        module: "go.etcd.io/etcd/server/v3",
        version: "v3.7.3",
        variable: "ETCD_PROGRAM",
    },
];

/// The variables that make tests use the newest servers, which are built if they are not there
/// yet.
///
/// # Errors
///
/// Says why there are none: no Go, one that is too old, no network.
pub(crate) fn variables() -> Result<Vec<(&'static str, PathBuf)>, String> {
    let folder = folder()?;
    let built = SERVERS.iter().map(|server| {
        let program = server.ensure(&folder)?;
        Ok((server.variable, program))
    });
    built.collect()
}

/// `servers` in the target folder, which is where cargo put this program too.
fn folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.ancestors().nth(2);
    let target = target.ok_or_else(|| format!("{}: not in a target folder", own.display()))?;
    Ok(target.join("servers"))
}

impl Server {
    fn ensure(&self, folder: &Path) -> Result<PathBuf, String> {
        let folder = folder.join(format!("{}-{}", self.program, self.version));
        let program = folder.join(self.program);
        if !program.is_file() {
            self.build(&folder)
                .map_err(|error| format!("{} {}: {error}", self.program, self.version))?;
        }
        Ok(program)
    }

    /// Builds it as the dependency of a module that has nothing else: `go install` takes no
    /// module that replaces some of its own dependencies, as etcd's does.
    fn build(&self, folder: &Path) -> Result<(), String> {
        let go = on_path("go").ok_or("`go` is not on PATH")?;
        let text = |error: std::io::Error| error.to_string();
        fs::create_dir_all(folder).map_err(text)?;
        let requirement = format!(
            "module servers\n\nrequire {} {}\n",
            self.module, self.version
        );
        fs::write(folder.join("go.mod"), requirement).map_err(text)?;
        // Under another name until it is whole.
        let unfinished = format!("{}.part", self.program);
        let arguments = ["build", "-mod=mod", "-o", &unfinished, self.module];
        eprintln!("$ go {}@{}", arguments.join(" "), self.version);
        let status = Command::new(go)
            .args(arguments)
            .current_dir(folder)
            .env("GOWORK", "off")
            .status()
            .map_err(text)?;
        if !status.success() {
            return Err(format!("go build: {status}"));
        }
        fs::rename(folder.join(unfinished), folder.join(self.program)).map_err(text)
    }
}
