use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::*;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "00f067aa0ba902b7";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `run` logs.
fn logged(format: LogFormat, filter: &str, run: impl FnOnce()) -> String {
    let logs = Logs {
        format,
        filter: EnvFilter::builder().parse(filter).unwrap(),
        opentelemetry_too: filter.contains("opentelemetry"),
    };
    let lines = Lines::default();
    let writer = lines.clone();
    tracing::subscriber::with_default(subscriber(logs, move || writer.clone()), run);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

fn json(run: impl FnOnce()) -> Value {
    let line = logged(LogFormat::Json, "trace", run);
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn in_a_trace(run: impl FnOnce()) {
    let span_context = SpanContext::new(
        TraceId::from_hex(TRACE_ID).unwrap(),
        SpanId::from_hex(SPAN_ID).unwrap(),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let _guard = Context::new()
        .with_remote_span_context(span_context)
        .attach();
    run();
}

#[test]
fn a_text_line_ends_with_the_ids() {
    let line = logged(LogFormat::Text, "info", || {
        in_a_trace(|| tracing::info!(n = 1, "hello"))
    });
    let expected = format!(
        "  INFO dynamo_trace_sdk::logs::tests: hello n=1 trace_id={TRACE_ID} span_id={SPAN_ID}\n"
    );
    assert!(line.ends_with(&expected), "{line}");
    // 2026-01-01T00:00:00.000000Z
    assert_eq!(line.find("  INFO"), Some(27), "{line}");
}

#[test]
fn without_a_trace_there_are_no_ids() {
    let line = logged(LogFormat::Text, "info", || tracing::info!("hello"));
    assert!(line.ends_with(": hello\n"), "{line}");
    let line = json(|| tracing::info!("hello"));
    assert_eq!(line.get("trace_id"), None);
}

#[test]
fn a_json_line_has_the_ids_and_the_fields() {
    let line = json(|| {
        in_a_trace(|| {
            tracing::warn!(
                n = -1,
                big = u64::MAX,
                ok = true,
                f = 0.5,
                nan = f64::NAN,
                s = "x",
                "hello"
            )
        });
    });
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "dynamo_trace_sdk::logs::tests");
    assert_eq!(line["message"], "hello");
    assert_eq!(line["trace_id"], TRACE_ID);
    assert_eq!(line["span_id"], SPAN_ID);
    assert_eq!(line["trace_flags"], "01");
    assert_eq!(line["n"], -1);
    assert_eq!(line["big"], u64::MAX);
    assert_eq!(line["ok"], true);
    assert_eq!(line["f"], 0.5);
    assert_eq!(line["nan"], "NaN");
    assert_eq!(line["s"], "x");
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 27 && timestamp.ends_with('Z'),
        "{timestamp}"
    );
}

#[test]
fn json_strings_are_escaped() {
    let hostile = "\"\\\n\r\t\u{0}\u{1b}[31m\u{7f}\u{85}é💥\",\"level\":\"x";
    let line = json(|| tracing::info!(hostile, debug = ?hostile, "{hostile}"));
    assert_eq!(line["hostile"], hostile);
    assert_eq!(line["message"], hostile);
    assert_eq!(line["debug"], format!("{hostile:?}"));
    assert_eq!(line["level"], "INFO");
}

#[test]
fn a_field_never_hides_a_member_of_the_line() {
    let line = json(|| in_a_trace(|| tracing::info!(trace_id = "mine", level = 3, "hello")));
    assert_eq!(line["trace_id"], TRACE_ID);
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields.trace_id"], "mine");
    assert_eq!(line["fields.level"], 3);
}

#[test]
fn a_field_of_the_application_may_be_called_like_those_of_the_bridge() {
    let line = json(|| {
        let _span = tracing::info_span!("span", log.file = "a").entered();
        tracing::info!(log.id = 7, log.target = "mine", "hello");
    });
    assert_eq!(line["log.id"], 7);
    assert_eq!(line["log.target"], "mine");
    assert_eq!(line["spans"][0]["log.file"], "a");
}

#[test]
fn an_error_is_told_with_its_sources() {
    let error = crate::InitError::Thread(io::Error::other("no \"more\""));
    let error: &(dyn std::error::Error + 'static) = &error;
    let line = json(|| tracing::info!(error, "hello"));
    assert_eq!(line["error"], "cannot start the export thread: no \"more\"");
}

#[test]
fn spans_are_shown_from_the_root() {
    let run = || {
        let outer = tracing::info_span!("outer", a = 1, late = tracing::field::Empty).entered();
        outer.record("late", "x");
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!("hello");
    };
    let line = json(run);
    let spans = serde_json::json!([{"name": "outer", "a": 1, "late": "x"}, {"name": "inner"}]);
    assert_eq!(line["spans"], spans);
    let line = logged(LogFormat::Text, "info", run);
    assert!(
        line.contains(r#"  INFO outer{a=1 late="x"}: inner: dynamo_trace"#),
        "{line}"
    );
}

#[test]
fn opentelemetry_is_quiet_unless_asked_for() {
    let run = || {
        tracing::debug!(target: "opentelemetry_sdk", "noise");
        tracing::info!(target: "opentelemetry-otlp", "noise");
        tracing::warn!(target: "opentelemetry_sdk", "loss");
        tracing::debug!(target: "h2", "the application's own");
    };
    let lines = logged(LogFormat::Text, "trace", run);
    assert_eq!(
        (
            lines.matches("noise").count(),
            lines.matches("loss").count()
        ),
        (0, 1),
        "{lines}"
    );
    assert!(lines.contains("the application's own"), "{lines}");
    let lines = logged(LogFormat::Text, "opentelemetry=debug", run);
    assert_eq!(lines.matches("noise").count(), 2, "{lines}");
    assert_eq!(logged(LogFormat::Text, "off", run), "");
}

/// OpenTelemetry warns about a full context stack while it holds the stack.
#[test]
fn a_warning_from_within_the_context_is_logged() {
    let lines = logged(LogFormat::Text, "warn", || {
        let guards: Vec<_> = (0..=u16::MAX).map(|_| Context::new().attach()).collect();
        drop(guards);
    });
    assert!(lines.contains("Context"), "{lines}");
}
