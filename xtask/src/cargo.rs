//! Runs cargo, and what it has built.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Runs cargo in the workspace and waits for it.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    run_with(arguments, &[])
}

/// Runs cargo with more environment variables.
pub(crate) fn run_with(arguments: &[&str], variables: &[(&str, PathBuf)]) -> Result<(), String> {
    let what = format!("cargo {}", arguments.join(" "));
    let set = variables.iter();
    let set: String = set
        .map(|(key, value)| format!("{key}='{}' ", value.display()))
        .collect();
    eprintln!("$ {set}{what}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .envs(variables.iter().map(|(key, value)| (key, value)))
        .envs(crate::tools::protoc())
        .status()
        .map_err(|error| format!("{what}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{what}: {status}"))
    }
}

/// Becomes the executable `name` that cargo put beside this one, so that signals reach it.
pub(crate) fn become_sibling(name: &str, options: &[String]) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.with_file_name(name);
    // Comes back only if it fails.
    let error = Command::new(&program).arg("run").args(options).exec();
    Err(format!("{}: {error}", program.display()))
}
