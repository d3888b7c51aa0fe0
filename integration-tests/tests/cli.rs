//! The demo's command line: what it prints, how it ends, and what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

const DEMO: &str = env!("CARGO_BIN_EXE_stack-role");

fn run(arguments: &[&str]) -> Output {
    Command::new(DEMO).args(arguments).output().unwrap()
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(DEMO);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn json_is_one_line_and_success_means_complete() {
    let output = run(&["run", "--json", "--requests", "5", "--concurrency", "2"]);
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().count(), 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let spans = report["spans"].as_u64().unwrap();
    assert_eq!(spans, 5 * 13);
    let expected = serde_json::json!({
        "requests": 5,
        "complete": 5,
        "spans": spans,
        "orphans": 0,
        "crossings": ["http", "grpc", "etcd", "nats", "tcp"],
    });
    assert_eq!(report, expected);
}

#[test]
fn the_tree_is_printed_with_durations() {
    let output = run(&["run"]);
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let root = stdout
        .lines()
        .find(|line| line.starts_with("SERVER POST /v1/chat"));
    assert!(root.unwrap().ends_with("ms"), "{stdout}");
    assert!(stdout.contains("1 of 1 requests complete"));
}

#[test]
fn signals_leave_no_process_behind() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut demo = start(&["run", "--keep"]);
        let _stderr = until_kept(&mut demo);
        let children = descendants(demo.id());
        assert!(
            children.len() >= 7,
            "five roles and two servers: {children:?}"
        );

        kill(demo.id(), signal);
        // All requests were complete.
        assert!(demo.wait().unwrap().success());
        let left: Vec<_> = children.into_iter().filter(|id| is_alive(*id)).collect();
        assert_eq!(left, [0; 0], "{signal}");
    }
}

#[test]
fn a_role_that_fails_shows_its_last_log_lines_and_leaves_nothing() {
    let mut demo = Command::new(DEMO);
    demo.arg("run").env("DYNAMO_TRACE_LOG_FORMAT", "sometimes");
    let output = demo.output().unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    for part in ["router", "DYNAMO_TRACE_LOG_FORMAT", "sometimes", "json"] {
        assert!(stderr.contains(part), "no `{part}` in: {stderr}");
    }
}

#[test]
fn a_crashed_role_ends_the_demo() {
    let mut demo = start(&["run", "--keep"]);
    let mut stderr = until_kept(&mut demo);
    let children = descendants(demo.id());
    let is_router = |id: &&u32| arguments_of(**id).contains(&"router".to_owned());
    let router = children.iter().find(is_router).unwrap();
    kill(*router, "-KILL");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(!demo.wait().unwrap().success());
    assert!(rest.contains("`router` ended with signal: 9"), "{rest}");
    assert!(rest.contains("picked"), "the last log lines: {rest}");
    assert!(!children.into_iter().any(is_alive));
}

#[test]
fn an_endpoint_that_is_not_there_is_told() {
    let output = run(&["run", "--otlp", "http://127.0.0.1:9"]);
    assert!(output.status.success(), "the trace itself is complete");
    let stderr = String::from_utf8(output.stderr).unwrap();
    for part in ["frontend: ", "http://127.0.0.1:9", "collector"] {
        assert!(stderr.contains(part), "no `{part}` in: {stderr}");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (options, part) in [
        (["--requests", "0"], "a number from 1"),
        (["--concurrency", "0"], "a number from 1"),
        (["--otlp", "collector:4317"], "http://HOST:PORT"),
    ] {
        let output = run(&["run", options[0], options[1]]);
        assert!(!output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["router", "--listen", &address]);
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&address), "{stderr}");
    assert!(stderr.contains("give another address"), "{stderr}");
}

#[test]
fn an_unreachable_server_is_named() {
    let output = run(&["prefill", "--nats", "nats://127.0.0.1:1"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("nats://127.0.0.1:1"), "{stderr}");
}

/// Reads its standard error until it offers the `curl` line.
fn until_kept(demo: &mut Child) -> BufReader<ChildStderr> {
    let mut stderr = BufReader::new(demo.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("curl -N http://127.0.0.1:") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    stderr
}

fn kill(id: u32, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &id.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// All processes below `id`, by the parents in `/proc`.
fn descendants(id: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let child = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((child, parent_of(child)?))
        })
        .collect();
    let mut found = BTreeSet::from([id]);
    while let Some((child, _)) = parents
        .iter()
        .find(|(child, parent)| found.contains(parent) && !found.contains(child))
    {
        found.insert(*child);
    }
    found.remove(&id);
    found
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // After the name in parentheses: the state, then the parent.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn is_alive(id: u32) -> bool {
    parent_of(id).is_some()
}

fn arguments_of(id: u32) -> Vec<String> {
    let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    line.split('\0').map(str::to_owned).collect()
}
