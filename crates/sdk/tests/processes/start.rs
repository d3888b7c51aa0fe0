//! What the environment says is obeyed, or refused by name.

use std::collections::HashMap;

use crate::support::{child, record, succeed, variable};
use dynamo_trace_core::span::attributes::ENDING;
use dynamo_trace_core::{Instrumentation, Propagation};
use dynamo_trace_sdk::{Builder, InitError, Telemetry};
use dynamo_trace_testkit::Receiver;
use opentelemetry::trace::{SpanBuilder, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

#[test]
fn bad_configuration_is_refused_by_name() {
    for (variable, value, expected) in [
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "carrier-pigeon",
            "allowed: `grpc`, `http/protobuf`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4317",
            "must be a URL like http://localhost:4318",
        ),
        ("OTEL_TRACES_EXPORTER", "console", "allowed: `otlp`, `none`"),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "2",
            "must be a ratio from 0 to 1, like 0.25",
        ),
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "many",
            "must be a whole number from 1 to 1000000",
        ),
        (
            "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
            "GET,NO METHOD",
            "must be HTTP methods with commas between, like GET,POST,PURGE",
        ),
        ("DYNAMO_TRACE_LOG_FORMAT", "xml", "allowed: `text`, `json`"),
    ] {
        let stderr = succeed(
            child("start/refused")
                .env("OTEL_TRACES_SAMPLER", "traceidratio")
                .env(variable, value),
        );
        assert_eq!(stderr, format!("{variable} is `{value}`: {expected}\n"));
    }
}

#[tokio::test]
async fn a_disabled_sdk_passes_context_through() {
    let receiver = Receiver::start().await.unwrap();
    let stderr = succeed(
        child("start/disabled")
            .env("OTEL_SDK_DISABLED", "True")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
    );
    assert!(
        stderr.contains("INFO processes::start: logs work"),
        "{stderr}"
    );
    assert!(receiver.spans().is_empty());
}

#[test]
fn a_root_has_the_random_flag() {
    succeed(child("start/root").env("OTEL_TRACES_EXPORTER", "none"));
    succeed(
        child("start/root")
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("OTEL_TRACES_SAMPLER", "ALWAYS_OFF"),
    );
}

/// The SDK alone would warn about the case of the sampler's name.
#[test]
fn what_is_understood_is_not_warned_about() {
    let run = |sampler, propagators| {
        succeed(
            child("start/nothing")
                .env("OTEL_TRACES_EXPORTER", "none")
                .env("OTEL_TRACES_SAMPLER", sampler)
                .env("OTEL_PROPAGATORS", propagators),
        )
    };
    assert_eq!(run("ALWAYS_ON", "tracecontext,baggage"), "");
    let stderr = run("", "tracecontext,baggage,b3");
    assert!(
        stderr.contains("WARN") && stderr.contains("OTEL_PROPAGATORS"),
        "{stderr}"
    );
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let stderr = succeed(
        child("start/nothing")
            .env("OTEL_TRACES_EXPORTER", "none,console")
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem")
            .env("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
    );
    let lines: Vec<_> = stderr.lines().collect();
    let [exporters, variables] = lines.as_slice() else {
        panic!("{stderr}")
    };
    assert!(
        exporters.contains("WARN") && exporters.contains(r#"value="none,console""#),
        "{stderr}"
    );
    let named = r#"variables="OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_BSP_EXPORT_TIMEOUT""#;
    assert!(
        variables.contains("WARN") && variables.contains(named),
        "{stderr}"
    );
}

#[test]
fn http_methods_are_known_by_the_list() {
    for (list, disabled, expected) in [
        ("", "false", "None"),
        ("GET, PURGE", "false", "Some([\"GET\", \"PURGE\"])"),
        ("GET, PURGE", "true", "Some([\"GET\", \"PURGE\"])"),
    ] {
        let stderr = succeed(
            child("start/methods")
                .env("OTEL_TRACES_EXPORTER", "none")
                .env("OTEL_SDK_DISABLED", disabled)
                .env("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", list),
        );
        assert_eq!(stderr, format!("{expected}\n"));
    }
}

#[test]
fn a_process_is_set_up_once() {
    succeed(&mut child("start/twice"));
}

#[test]
fn what_a_shutdown_cuts_says_so() {
    succeed(child("start/cut").env("OTEL_TRACES_EXPORTER", "none"));
}

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn carrier(context: &Context) -> HashMap<String, String> {
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut carrier));
    carrier
}

pub(crate) fn child_main(scenario: &str) {
    match scenario {
        "refused" => eprintln!("{}", dynamo_trace_sdk::init("start").unwrap_err()),
        "disabled" => {
            let telemetry = dynamo_trace_sdk::init("start").unwrap();
            assert!(telemetry.tracer_provider().is_none());
            tracing::info!("logs work");
            record(3);
            let incoming = HashMap::from([("traceparent".to_owned(), INCOMING.to_owned())]);
            let context =
                global::get_text_map_propagator(|propagator| propagator.extract(&incoming));
            let context =
                context.with_span(global::tracer("test").start_with_context("none", &context));
            assert_eq!(carrier(&context), incoming);
            telemetry.shutdown().unwrap();
        }
        "methods" => {
            let _telemetry = dynamo_trace_sdk::init("start").unwrap();
            eprintln!("{:?}", dynamo_trace_core::known_http_methods());
        }
        "root" => {
            let _telemetry = dynamo_trace_sdk::init("start").unwrap();
            let context = Context::new().with_span(global::tracer("test").start("root"));
            let trace_id = context.span().span_context().trace_id();
            assert!(dynamo_trace_sdk::RootIds::made_here(trace_id));
            let flags = if variable("OTEL_TRACES_SAMPLER").is_empty() {
                "-03"
            } else {
                "-02"
            };
            let traceparent = &carrier(&context)["traceparent"];
            assert!(traceparent.ends_with(flags), "{traceparent}");
            // The adapters use the same.
            let mut ours = HashMap::new();
            Propagation::global().inject(&context, &mut ours);
            assert_eq!(ours, carrier(&context));
        }
        "nothing" => {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(std::io::stderr)
                .init();
            Telemetry::builder("start")
                .without_logs()
                .init()
                .unwrap()
                .shutdown()
                .unwrap();
        }
        "twice" => {
            let refused = Telemetry::builder("refused").otlp_endpoint("nonsense");
            let error = refused.init().unwrap_err();
            assert!(matches!(error, InitError::Invalid { .. }), "{error:?}");
            let used = |builder: Builder| matches!(builder.init(), Err(InitError::AlreadySet));
            let telemetry = dynamo_trace_sdk::init("first").unwrap();
            assert!(used(Telemetry::builder("second")));
            telemetry.shutdown().unwrap();
            assert!(used(Telemetry::builder("third")));
        }
        "cut" => {
            let telemetry = dynamo_trace_sdk::init("start").unwrap();
            let exporter = InMemorySpanExporter::default();
            let provider = SdkTracerProvider::builder()
                .with_simple_exporter(exporter.clone())
                .build();
            let instrumentation =
                Instrumentation::global("test", "1").with_tracer_provider(&provider);
            let guard = instrumentation.start(SpanBuilder::from_name("cut"), &Context::new());
            telemetry.shutdown().unwrap();
            drop(guard);
            let spans = exporter.get_finished_spans().unwrap();
            let ending = KeyValue::new(ENDING, "shutdown");
            assert!(spans[0].attributes.contains(&ending), "{spans:?}");
        }
        scenario => panic!("{scenario}"),
    }
}
