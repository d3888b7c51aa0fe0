//! Logs: one line an event, on standard error, with the ids of the current trace and span.

mod ids;
mod json;
mod text;

use std::fmt;
use std::io::stderr;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::{AsLog, LogTracer, NormalizeEvent};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, fmt as lines};

use crate::settings::{LogFormat, Logs};

/// Installs the subscriber, and the bridge from the `log` crate, unless there is one already.
pub(crate) fn install(logs: Logs) {
    let installed = tracing::subscriber::set_global_default(subscriber(logs, stderr));
    if installed.is_err() {
        tracing::warn!(
            "a tracing subscriber is set already and stays: log lines carry no trace_id from here, \
             and RUST_LOG and DYNAMO_TRACE_LOG_FORMAT are not read"
        );
        return;
    }
    // If the application has a logger of its own, that stays, too.
    let _ = LogTracer::builder()
        .with_max_level(LevelFilter::current().as_log())
        .init();
}

fn subscriber<W>(logs: Logs, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> lines::MakeWriter<'a> + Send + Sync + 'static,
{
    let Logs {
        format,
        filter,
        opentelemetry_too,
    } = logs;
    let lines = lines::layer()
        .with_writer(writer)
        .with_ansi(false)
        .fmt_fields(Fields(format))
        .event_format(Line(format));
    let wanted = filter_fn(move |metadata| opentelemetry_too || !is_noise(metadata));
    Registry::default()
        .with(filter.and_then(wanted))
        .with(lines)
}

/// What OpenTelemetry says about its own work. The rest of it is about lost spans.
fn is_noise(metadata: &Metadata<'_>) -> bool {
    *metadata.level() > Level::WARN && metadata.target().starts_with("opentelemetry")
}

/// Formats an event.
struct Line(LogFormat);

impl<S> FormatEvent<S, Fields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // An event from the `log` crate has its target and level in its fields.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        match self.0 {
            LogFormat::Text => text::line(context, writer, event, metadata),
            LogFormat::Json => json::line(context, writer, event, metadata),
        }
    }
}

/// Formats the fields of events and spans.
struct Fields(LogFormat);

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        match self.0 {
            LogFormat::Text => DefaultFields::new().format_fields(writer, fields),
            LogFormat::Json => json::members(writer, fields, false),
        }
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        if self.0 == LogFormat::Text && !current.fields.is_empty() {
            current.fields.push(' ');
        }
        self.format_fields(current.as_writer(), fields)
    }
}

#[cfg(test)]
mod tests;
