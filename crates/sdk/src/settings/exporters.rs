//! `OTEL_TRACES_EXPORTER`.

use super::environment::Environment;
use crate::InitError;

const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

/// Which exporters there shall be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exporters {
    pub(super) otlp: bool,
    /// The value, if it names more than there is here: a warning, as for propagators.
    pub(super) incomplete: Option<String>,
}

impl Exporters {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, InitError> {
        let Some(value) = environment.text(EXPORTER) else {
            return Ok(Self {
                otlp: true,
                incomplete: None,
            });
        };
        let list = value.to_ascii_lowercase();
        let names = || {
            list.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
        };
        let otlp = names().any(|name| name == "otlp");
        if !otlp && !names().any(|name| name == "none") {
            return Err(InitError::invalid(
                EXPORTER,
                value,
                "allowed: `otlp`, `none`",
            ));
        }
        let known = if otlp { "otlp" } else { "none" };
        let incomplete = names().any(|name| name != known);
        Ok(Self {
            otlp,
            incomplete: incomplete.then_some(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Result<(bool, Option<String>), String> {
        Exporters::from_environment(&Environment::of([(EXPORTER, value)]))
            .map(|exporters| (exporters.otlp, exporters.incomplete))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_known_of_a_list_is_used() {
        assert_eq!(of(""), Ok((true, None)));
        assert_eq!(of("OTLP"), Ok((true, None)));
        assert_eq!(of("otlp, otlp,"), Ok((true, None)));
        assert_eq!(of("None"), Ok((false, None)));
        for (value, otlp) in [("otlp,console", true), ("zipkin,none", false)] {
            assert_eq!(of(value), Ok((otlp, Some(value.to_owned()))));
        }
    }

    #[test]
    fn a_list_of_strangers_is_refused() {
        for value in ["console", "console,zipkin", ","] {
            let message = format!("{EXPORTER} is `{value}`: allowed: `otlp`, `none`");
            assert_eq!(of(value), Err(message));
        }
    }
}
