//! Every span that ended before shutdown arrives, from any runtime and over both protocols.

use std::collections::BTreeSet;

use crate::support::{
    LONG, PROTOCOLS, RUNTIME, RUNTIMES, child, collect_one, on_runtime, record, succeed, variable,
};
use dynamo_trace_sdk::Telemetry;
use dynamo_trace_testkit::{Receiver, Span};

/// More than two batches, less than the queue.
const SPANS: usize = 1_300;

async fn names_at(receiver: &Receiver) -> Vec<Span> {
    let spans = receiver.wait_for_spans(SPANS, LONG).await.unwrap();
    let names: BTreeSet<_> = spans.iter().map(|span| span.name.clone()).collect();
    let expected: BTreeSet<_> = (0..SPANS).map(|number| format!("span {number}")).collect();
    assert_eq!((spans.len(), names), (SPANS, expected));
    spans
}

async fn deliver(scenario: &str, environment: &[(&str, &str)]) {
    for protocol in PROTOCOLS {
        for runtime in RUNTIMES {
            let receiver = Receiver::start().await.unwrap();
            let stderr = succeed(
                child(&format!("delivery/{scenario}"))
                    .envs(environment.iter().copied())
                    .env(RUNTIME, runtime)
                    .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                    .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
            );
            assert_eq!(stderr, "", "{protocol}, {runtime}");
            let spans = names_at(&receiver).await;
            assert_eq!(spans[0].service(), "delivery");
        }
    }
}

#[tokio::test]
async fn shutdown_flushes() {
    deliver("shutdown", &[]).await;
}

#[tokio::test]
async fn drop_flushes() {
    deliver("drop", &[]).await;
}

#[tokio::test]
async fn flush_flushes() {
    deliver("flush", &[]).await;
}

#[tokio::test]
async fn grpc_is_compressed_on_demand() {
    let receiver = Receiver::start().await.unwrap();
    succeed(
        child("delivery/shutdown")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
    );
    names_at(&receiver).await;
}

#[tokio::test]
async fn a_second_endpoint_gets_every_span_too() {
    for protocol in PROTOCOLS {
        let (first, second) = (
            Receiver::start().await.unwrap(),
            Receiver::start().await.unwrap(),
        );
        succeed(
            child("delivery/second")
                .env(RUNTIME, "current-thread")
                .env("SECOND", second.endpoint())
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint())
                .env("OTEL_SERVICE_NAME", "from the environment"),
        );
        assert_eq!(names_at(&first).await[0].service(), "from the environment");
        names_at(&second).await;
    }
}

#[test]
fn credentials_go_to_the_first_endpoint_only() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // The exporter crate takes an empty variable for an answer; the specification does not.
    for (traces, all) in [
        ("authorization=Bearer%20abc", "other=1"),
        ("", "authorization=Bearer%20abc"),
    ] {
        let ((first, to_first), (second, to_second)) = (collect_one(OK), collect_one(OK));
        succeed(
            child("delivery/headers")
                .env("SECOND", second)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", first)
                .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", traces)
                .env("OTEL_EXPORTER_OTLP_HEADERS", all),
        );
        let (to_first, to_second) = (to_first.join().unwrap(), to_second.join().unwrap());
        assert!(
            to_first.contains("authorization: Bearer abc\r\n"),
            "{to_first}"
        );
        assert!(!to_second.contains("authorization"), "{to_second}");
        for request in [to_first, to_second] {
            assert!(
                request.starts_with("POST /v1/traces HTTP/1.1\r\n"),
                "{request}"
            );
        }
    }
}

pub(crate) fn child_main(scenario: &str) {
    on_runtime(|| {
        let mut builder = Telemetry::builder("delivery");
        if !variable("SECOND").is_empty() {
            builder = builder.also_export_to(variable("SECOND"));
        }
        let telemetry = builder.init().unwrap();
        record(if scenario == "headers" { 1 } else { SPANS });
        match scenario {
            "drop" => drop(telemetry),
            "flush" => {
                telemetry.flush().unwrap();
                // Neither shut down nor dropped.
                std::mem::forget(telemetry);
            }
            _ => telemetry.shutdown().unwrap(),
        }
    });
}
