//! Two of the example, on a real etcd: what each tells of the other.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use dynamo_trace_testkit::servers::{EtcdServer, Process};
use dynamo_trace_testkit::{Receiver, Span, SpanKind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);

fn start(name: &str, etcd: &EtcdServer, receiver: &Receiver, folder: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcd-example"));
    command
        .arg(name)
        .env("ETCD_ENDPOINT", etcd.endpoint())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .stdin(Stdio::null());
    Process::spawn(name, &mut command, folder.join(name)).unwrap()
}

/// Waits until the log has this text.
async fn says(process: &mut Process, text: &str) {
    let log = process.log_path().to_owned();
    let has = || async {
        std::fs::read_to_string(&log)
            .ok()?
            .contains(text)
            .then_some(())
    };
    process.until(has).await.unwrap();
}

async fn interrupt(process: &mut Process) {
    let id = process.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let ended = tokio::time::timeout(WITHIN, async {
        loop {
            match process.ended() {
                Some(ended) => break ended,
                None => tokio::task::yield_now().await,
            }
        }
    });
    let ended = ended.await.unwrap();
    assert!(
        ended.contains("exit status: 0"),
        "{ended}\n{}",
        process.log()
    );
}

#[tokio::test]
async fn each_notices_the_other_and_a_put_has_its_cause() {
    let (etcd, receiver) = (
        EtcdServer::start().await.unwrap(),
        Receiver::start().await.unwrap(),
    );
    let folder = tempfile::TempDir::new().unwrap();
    let mut first = start("worker-1", &etcd, &receiver, folder.path());
    says(&mut first, "worker-1 joined").await;
    says(&mut first, "the configuration is").await;
    let mut second = start("worker-2", &etcd, &receiver, folder.path());
    says(&mut first, "worker-2 joined").await;
    says(&mut second, "worker-1 joined").await;
    says(&mut second, "worker-2 joined").await;
    interrupt(&mut second).await;
    says(&mut first, "worker-2 left").await;
    interrupt(&mut first).await;

    let is_noticed = |spans: &[Span]| noticed(spans) >= 3;
    receiver.wait_for(is_noticed, WITHIN).await.unwrap();
    let spans = receiver.spans();
    let put_of = |change: &Span| {
        let put = spans.iter().find(|span| change.is_child_of(span))?;
        let cause = spans.iter().find(|span| put.is_child_of(span))?;
        Some((put.name.as_str(), cause.name.as_str()))
    };
    let configured = spans.iter().find(|span| span.name == "process config");
    assert_eq!(put_of(configured.unwrap()), Some(("Put", "configure")));
}

/// How many joins continue the trace of a registration.
fn noticed(spans: &[Span]) -> usize {
    let registered = |span: &&Span| span.name == "register instances";
    let traces: Vec<_> = spans
        .iter()
        .filter(registered)
        .map(|span| span.trace_id)
        .collect();
    let is_join = |span: &&Span| {
        span.kind == SpanKind::Consumer
            && span.name == "process instances"
            && traces.contains(&span.trace_id)
    };
    spans.iter().filter(is_join).count()
}
