//! The project's tasks: `cargo xtask demo | test | lint | check | bench`.
//!
//! It has no dependencies, so that it compiles in a second, and before `protoc` is there.

mod cargo;
mod newest;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task> [options]

  demo    start a mini inference stack, send requests, show and check their traces
            --requests N      how many requests (1)
            --concurrency C   how many at the same time (1)
            --keep            stay up until Ctrl-C, for requests of one's own
            --json            print one line of JSON
            --otlp URL        export to this OTLP/gRPC endpoint as well
  test    run all tests, and those of nats and etcd on the newest servers too, if Go is
          installed; with options, which go to `cargo test`, only the former
  lint    formatting, clippy, documentation, dependencies
  check   lint and test: what CI runs
  bench   measure what the layers cost, beside those of others; `http`, `grpc`, `nats` or `etcd`
          alone
            --rounds N        how often each is timed (60)
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let options: Vec<String> = arguments.collect();
    let done = match task.as_str() {
        "demo" => demo(&options),
        "test" => test(&options),
        "lint" => lint(),
        "bench" => bench(&options),
        "check" => lint().and_then(|()| test(&options)),
        "help" | "--help" | "-h" => {
            eprint!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &[String]) -> Result<(), String> {
    tools::ensure()?;
    cargo::run(&["build", "--package", "demo"])?;
    cargo::become_sibling("demo", options)
}

fn test(options: &[String]) -> Result<(), String> {
    tools::ensure()?;
    tools::ensure_python();
    let mut arguments = vec!["test", "--workspace", "--all-features"];
    arguments.extend(options.iter().map(String::as_str));
    cargo::run(&arguments)?;
    if options.is_empty() {
        test_newest()
    } else {
        // They may name what those packages do not have.
        Ok(())
    }
}

/// The tests of those crates that talk to a server, on the newest ones.
fn test_newest() -> Result<(), String> {
    let variables = match newest::variables() {
        Ok(variables) => variables,
        Err(why) => {
            eprintln!("the newest servers are not tested: {why}");
            return Ok(());
        }
    };
    let packages = ["-p", "dynamo-trace-nats", "-p", "dynamo-trace-etcd"];
    let tests = ["--all-features", "--tests"];
    cargo::run_with(&[&["test"], &packages[..], &tests].concat(), &variables)
}

/// A workspace of its own, so that who builds or tests the project does not compile the peers.
const BENCHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/Cargo.toml");

fn bench(options: &[String]) -> Result<(), String> {
    if !options.iter().any(|only| only == "http" || only == "grpc") {
        tools::ensure()?;
    }
    // All of its programs: the one that runs starts the others.
    cargo::run(&["build", "--release", "--manifest-path", BENCHES])?;
    let mut arguments = vec!["run", "--release", "--manifest-path", BENCHES, "--"];
    arguments.extend(options.iter().map(String::as_str));
    cargo::run(&arguments)
}

fn lint() -> Result<(), String> {
    tools::ensure()?;
    let benches = ["--manifest-path", BENCHES];
    let denied = ["--", "--deny", "warnings"];
    cargo::run(&["fmt", "--all", "--check"])?;
    cargo::run(&[&["fmt"], &benches[..], &["--check"]].concat())?;
    let all = ["--workspace", "--all-targets", "--all-features"];
    cargo::run(&[&["clippy"], &all[..], &denied].concat())?;
    cargo::run(&[&["clippy", "--locked"], &benches[..], &denied].concat())?;
    cargo::run_with(
        &["doc", "--workspace", "--all-features", "--no-deps"],
        &[("RUSTDOCFLAGS", "--deny warnings".into())],
    )?;
    if tools::on_path("cargo-deny").is_none() {
        eprintln!("cargo-deny is not installed: advisories, licences and sources are not checked");
        return Ok(());
    }
    cargo::run(&["deny", "check", "advisories", "bans", "licenses", "sources"])
}
