//! A collector that is away neither stops the start nor holds up the end.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    LONG, PROTOCOLS, RUNTIME, RUNTIMES, child, closed_port, on_runtime, record, succeed, variable,
};
use dynamo_trace_sdk::{ShutdownError, Telemetry};
use dynamo_trace_testkit::Receiver;

const BOUND: Duration = Duration::from_secs(3);
const SLACK: Duration = Duration::from_secs(5);

fn away(scenario: &str, endpoint: &str) {
    let run = |protocol, runtime| {
        let stderr = succeed(
            child(&format!("outage/{scenario}"))
                .env(RUNTIME, runtime)
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        );
        // What was lost is said once, by the SDK.
        let event = match scenario {
            "closed" => "BatchSpanProcessor.ExportError",
            _ => "BatchSpanProcessor.Shutdown.Timeout",
        };
        let told = stderr.matches(event).count();
        assert_eq!(told, 1, "{protocol}, {runtime}: {stderr}");
        if scenario == "closed" {
            let path = if protocol == "grpc" { "" } else { "/v1/traces" };
            for what in [
                &format!("{endpoint}{path} ({protocol}): "),
                "Connection refused",
                "is a collector listening there?",
            ] {
                assert!(stderr.contains(what), "{what}: {stderr}");
            }
        }
    };
    thread::scope(|scope| {
        for protocol in PROTOCOLS {
            for runtime in RUNTIMES {
                scope.spawn(move || run(protocol, runtime));
            }
        }
    });
}

#[test]
fn nothing_listens() {
    away("closed", &closed_port());
}

#[test]
fn nothing_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    away(
        "black hole",
        &format!("http://{}", listener.local_addr().unwrap()),
    );
}

#[tokio::test]
async fn a_dead_endpoint_costs_the_other_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = Receiver::start().await.unwrap();
    succeed(
        child("outage/black hole")
            .env("SECOND", receiver.endpoint())
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", listener.local_addr().unwrap()),
            ),
    );
    assert_eq!(receiver.wait_for_spans(10, LONG).await.unwrap().len(), 10);
}

pub(crate) fn child_main(scenario: &str) {
    on_runtime(|| {
        let start = Instant::now();
        let mut builder = Telemetry::builder("outage").shutdown_timeout(BOUND);
        if !variable("SECOND").is_empty() {
            builder = builder.also_export_to(variable("SECOND"));
        }
        let telemetry = builder.init().unwrap();
        record(10);
        assert!(
            start.elapsed() < BOUND,
            "neither start nor spans wait: {:?}",
            start.elapsed()
        );

        let start = Instant::now();
        let error = telemetry.shutdown().unwrap_err();
        assert!(start.elapsed() < BOUND + SLACK, "{:?}", start.elapsed());
        let named = error
            .to_string()
            .contains(&variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert!(named, "{error}");
        match (scenario, error) {
            ("closed", ShutdownError::Unsent { spans: 10, .. }) => {}
            ("black hole", ShutdownError::Timeout { timeout: BOUND, .. }) => {}
            (scenario, error) => panic!("{scenario}: {error:?}"),
        }
    });
}
