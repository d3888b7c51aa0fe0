//! Children: this test binary again, with one ignored test, `in_child`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry::trace::{Tracer, TracerProvider};
use tokio::runtime::Builder;

/// For whatever takes longer only when it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The scenario that a child shall run, on which kind of runtime.
pub(crate) const SCENARIO: &str = "SCENARIO";
pub(crate) const RUNTIME: &str = "RUNTIME";

pub(crate) const RUNTIMES: [&str; 3] = ["multi-thread", "current-thread", "none"];
pub(crate) const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

/// A child that runs `scenario`, with nothing of this process' environment that matters.
pub(crate) fn child(scenario: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_child", "--ignored", "--nocapture"]);
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if ["OTEL_", "DYNAMO_TRACE_", "RUST_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(&variable);
        }
    }
    command.env(SCENARIO, scenario).stdin(Stdio::null());
    command
}

/// What the child wrote to standard error, after it has succeeded.
pub(crate) fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8(stderr).unwrap(),
    );
    assert!(status.success(), "{command:?}\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "no test was run\n{stdout}");
    stderr
}

/// In a child: the value of a variable that the parent has set.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// In a child: runs `main` as the application would on the runtime that was asked for.
pub(crate) fn on_runtime(main: impl FnOnce()) {
    let mut runtime = match variable(RUNTIME).as_str() {
        "multi-thread" => Builder::new_multi_thread(),
        "current-thread" => Builder::new_current_thread(),
        _ => return main(),
    };
    runtime
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { main() });
}

/// In a child: spans named `span 0`, `span 1`, ...
pub(crate) fn record(count: usize) {
    let tracer = opentelemetry::global::tracer_provider().tracer("test");
    for number in 0..count {
        drop(tracer.start(format!("span {number}")));
    }
}

/// An endpoint where nothing listens.
pub(crate) fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A collector that answers one request over HTTP, and gives back its head.
pub(crate) fn collect_one(response: &'static [u8]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let request = std::thread::spawn(move || {
        let mut connection = BufReader::new(listener.accept().unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(connection.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        connection.read_exact(&mut body).unwrap();
        connection.get_mut().write_all(response).unwrap();
        head
    });
    (endpoint, request)
}
