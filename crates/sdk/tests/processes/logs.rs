//! What an application finds in its logs, and what not.

use crate::support::{PROTOCOLS, RUNTIME, child, collect_one, on_runtime, record, succeed};
use dynamo_trace_sdk::Telemetry;
use dynamo_trace_testkit::Receiver;
use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, global};

#[test]
fn a_plain_span_is_in_the_line() {
    for format in ["text", "json"] {
        let stderr = succeed(
            child("logs/plain span")
                .env("OTEL_TRACES_EXPORTER", "none")
                .env("DYNAMO_TRACE_LOG_FORMAT", format),
        );
        let lines: Vec<_> = stderr.lines().collect();
        let [line, ids, bridged] = lines.as_slice() else {
            panic!("{stderr}")
        };
        let (trace_id, span_id) = ids.split_once(' ').unwrap();
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["message"], "in a span");
            assert_eq!(line["trace_id"], trace_id);
            assert_eq!(line["span_id"], span_id);
            assert_eq!(line["trace_flags"], "01");
        } else {
            let end =
                format!(" INFO processes::logs: in a span trace_id={trace_id} span_id={span_id}");
            assert!(line.ends_with(&end), "{line}");
        }
        assert!(
            bridged.contains("some::library") && bridged.contains("bridged"),
            "{bridged}"
        );
        assert!(!bridged.contains("log.target"), "{bridged}");
    }
}

#[tokio::test]
async fn the_exporter_is_silent() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start().await.unwrap();
        let endpoint = receiver.endpoint().replace("127.0.0.1", "localhost");
        let stderr = succeed(
            child("logs/silence")
                .env(RUNTIME, "multi-thread")
                .env("RUST_LOG", "trace")
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        );
        let lines: Vec<_> = stderr.lines().collect();
        let [line] = lines.as_slice() else {
            panic!("{stderr}")
        };
        assert!(line.contains("TRACE h2: the application's own"), "{line}");
    }
}

/// The exporter says so on the export thread, where nothing else is let through.
#[test]
fn a_partial_success_is_told() {
    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n\
        \x0a\x06\x08\x03\x12\x02no";
    for scenario in ["partial success", "partial success, late subscriber"] {
        let (endpoint, request) = collect_one(RESPONSE);
        let stderr = succeed(
            child(&format!("logs/{scenario}")).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        );
        request.join().unwrap();
        let told = stderr
            .lines()
            .filter(|line| line.contains("WARN") && line.contains("PartialSuccess"));
        assert_eq!(told.count(), 1, "{stderr}");
        assert!(stderr.contains("rejected_spans=3"), "{stderr}");
    }
}

#[test]
fn a_subscriber_that_is_set_stays() {
    let stderr = succeed(child("logs/own subscriber").env("OTEL_TRACES_EXPORTER", "none"));
    assert_eq!(
        stderr
            .matches("a tracing subscriber is set already")
            .count(),
        1,
        "{stderr}"
    );
    assert!(stderr.contains("mine"), "{stderr}");
    assert!(!stderr.contains("trace_id="), "{stderr}");
}

pub(crate) fn child_main(scenario: &str) {
    on_runtime(|| match scenario {
        "plain span" => {
            let _telemetry = dynamo_trace_sdk::init("logs").unwrap();
            let context = Context::new().with_span(global::tracer("test").start("plain"));
            let ids = context.span().span_context().clone();
            {
                let _guard = context.attach();
                tracing::info!("in a span");
            }
            eprintln!("{} {}", ids.trace_id(), ids.span_id());
            tracing_log::log::warn!(target: "some::library", "bridged");
        }
        "silence" => {
            let telemetry = dynamo_trace_sdk::init("logs").unwrap();
            tracing::trace!(target: "h2", "the application's own");
            record(600);
            telemetry.shutdown().unwrap();
        }
        "partial success" => {
            let telemetry = dynamo_trace_sdk::init("logs").unwrap();
            record(3);
            telemetry.shutdown().unwrap();
        }
        "partial success, late subscriber" => {
            let telemetry = Telemetry::builder("logs").without_logs().init().unwrap();
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(std::io::stderr)
                .init();
            record(3);
            telemetry.shutdown().unwrap();
        }
        "own subscriber" => {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(std::io::stderr)
                .init();
            let _telemetry = dynamo_trace_sdk::init("logs").unwrap();
            let context = Context::new().with_span(global::tracer("test").start("plain"));
            let _guard = context.attach();
            tracing::info!("mine");
        }
        scenario => panic!("{scenario}"),
    });
}
