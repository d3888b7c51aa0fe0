//! A virtual environment with what the peer needs, made once and kept in the target folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/requirements.txt");
const INSTALL: &str = "on Debian and Ubuntu: apt-get install -y python3-venv";

/// The environment's interpreter. Where there is none, says why on standard error: the test has to
/// be skipped.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(|| environment(Path::new(env!("CARGO_TARGET_TMPDIR")))) {
        Ok(python) => Some(python),
        Err(reason) => {
            // Past the harness, which shows nothing of a test that passes.
            let _ = writeln!(io::stderr(), "skipped, for lack of Python: {reason}");
            None
        }
    }
}

fn environment(target: &Path) -> Result<PathBuf, String> {
    let (folder, python) = (target.join("python"), target.join("python/bin/python"));
    let text = |error: io::Error| error.to_string();
    // Another run of the tests may be at it.
    let lock = File::create(target.join("python.lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    let stamp = folder.join("installed");
    let requirements = fs::read_to_string(REQUIREMENTS).map_err(text)?;
    let version = run(Command::new("python3").arg("--version"))
        .map_err(|error| format!("python3 does not run ({error}); {INSTALL}"))?;
    let wanted = version + &requirements;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))
    .map_err(|error| format!("python3 makes no virtual environment ({error}); {INSTALL}"))?;
    let quick = [
        "--retries",
        "1",
        "--timeout",
        "15",
        "--disable-pip-version-check",
    ];
    let install = ["-m", "pip", "install", "--quiet", "-r", REQUIREMENTS];
    run(Command::new(&python).args(install).args(quick))
        .map_err(|error| format!("its packages cannot be installed ({error})"))?;
    fs::write(&stamp, wanted).map_err(text)?;
    Ok(python)
}

/// What a command printed, or the last line of what it complained about.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(last.unwrap_or("no output").trim().to_owned())
}
