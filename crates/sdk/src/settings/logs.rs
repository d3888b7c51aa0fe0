//! `DYNAMO_TRACE_LOG_FORMAT` and `RUST_LOG`.

use tracing_subscriber::EnvFilter;

use super::environment::{Environment, one_of};
use crate::InitError;

const FORMAT: &str = "DYNAMO_TRACE_LOG_FORMAT";
const LEVELS: &str = "RUST_LOG";

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// A line to read: time, level, spans, target, message, fields, `trace_id=.. span_id=..`.
    #[default]
    Text,
    /// A JSON object a line, with `timestamp` (RFC 3339), `level`, `target`, `trace_id`, `span_id`,
    /// `trace_flags`, `message` and the event's fields as its members.
    Json,
}

/// What is logged, and how.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) format: LogFormat,
    pub(crate) filter: EnvFilter,
    /// `RUST_LOG` asks for OpenTelemetry's own events.
    pub(crate) opentelemetry_too: bool,
}

impl Logs {
    pub(super) fn resolve(
        code: Option<LogFormat>,
        environment: &Environment,
    ) -> Result<Self, InitError> {
        let format = match (code, environment.text(FORMAT)) {
            (Some(format), _) => format,
            (None, Some(value)) => one_of(
                FORMAT,
                &value,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            (None, None) => LogFormat::default(),
        };
        let levels = environment
            .text(LEVELS)
            .unwrap_or_else(|| "info".to_owned());
        let filter = EnvFilter::builder().parse(&levels).map_err(|error| {
            let expected =
                format!("{error}; allowed: a level, or a list like `info,my_crate=debug`");
            InitError::invalid(LEVELS, &levels, expected)
        })?;
        Ok(Self {
            format,
            filter,
            opentelemetry_too: levels.contains("opentelemetry"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve<const N: usize>(
        variables: [(&'static str, &'static str); N],
    ) -> Result<Logs, String> {
        Logs::resolve(None, &Environment::of(variables)).map_err(|error| error.to_string())
    }

    #[test]
    fn text_and_info_by_default() {
        let logs = resolve([(LEVELS, ""), (FORMAT, "")]).unwrap();
        assert_eq!(logs.format, LogFormat::Text);
        assert_eq!(logs.filter.to_string(), "info");
        assert!(!logs.opentelemetry_too);
    }

    #[test]
    fn the_environment_decides_unless_the_code_does() {
        let environment =
            || Environment::of([(FORMAT, "JSON"), (LEVELS, "warn,opentelemetry_sdk=debug")]);
        let logs = Logs::resolve(None, &environment()).unwrap();
        assert_eq!(logs.format, LogFormat::Json);
        assert!(logs.opentelemetry_too);
        let logs = Logs::resolve(Some(LogFormat::Text), &environment()).unwrap();
        assert_eq!(logs.format, LogFormat::Text);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = resolve([(FORMAT, "xml")]).unwrap_err();
        assert_eq!(
            message,
            "DYNAMO_TRACE_LOG_FORMAT is `xml`: allowed: `text`, `json`"
        );
        let message = resolve([(LEVELS, "my_crate=loud")]).unwrap_err();
        assert!(
            message.starts_with("RUST_LOG is `my_crate=loud`: "),
            "{message}"
        );
        assert!(
            message.ends_with("allowed: a level, or a list like `info,my_crate=debug`"),
            "{message}"
        );
    }
}
