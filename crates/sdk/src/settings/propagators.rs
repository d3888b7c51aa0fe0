//! `OTEL_PROPAGATORS`.

use dynamo_trace_core::Format;

use super::environment::Environment;
use crate::InitError;

const PROPAGATORS: &str = "OTEL_PROPAGATORS";

/// What is propagated, in this order.
pub(crate) struct Propagators {
    pub(crate) formats: Vec<Format>,
    /// The value, if it names more than there is here. Deployments set lists like
    /// `tracecontext,baggage,b3` for every language at once, so that this is a warning.
    pub(crate) incomplete: Option<String>,
}

impl Propagators {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, InitError> {
        let value = environment.text(PROPAGATORS);
        let list = value
            .as_deref()
            .unwrap_or("tracecontext,baggage")
            .to_ascii_lowercase();
        let mut names: Vec<&str> = Vec::new();
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names == ["none"] {
            return Ok(Self {
                formats: Vec::new(),
                incomplete: None,
            });
        }
        let formats: Vec<_> = names.iter().filter_map(|name| format(name)).collect();
        match value {
            Some(value) if formats.is_empty() => Err(InitError::invalid(
                PROPAGATORS,
                value,
                "allowed: `tracecontext`, `baggage`, or `none`",
            )),
            value => Ok(Self {
                incomplete: value.filter(|_| formats.len() < names.len()),
                formats,
            }),
        }
    }
}

fn format(name: &str) -> Option<Format> {
    match name {
        "tracecontext" => Some(Format::TraceContext),
        "baggage" => Some(Format::Baggage),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn propagators(value: &'static str) -> Result<(String, bool), String> {
        Propagators::from_environment(&Environment::of([(PROPAGATORS, value)]))
            .map(|propagators| {
                (
                    format!("{:?}", propagators.formats),
                    propagators.incomplete.is_some(),
                )
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn known_ones_are_installed_once_in_order() {
        for (value, formats, incomplete) in [
            ("", "[TraceContext, Baggage]", false),
            ("tracecontext", "[TraceContext]", false),
            (
                "Baggage, TraceContext,baggage",
                "[Baggage, TraceContext]",
                false,
            ),
            ("tracecontext,baggage,b3", "[TraceContext, Baggage]", true),
            ("None", "[]", false),
        ] {
            assert_eq!(
                propagators(value),
                Ok((formats.to_owned(), incomplete)),
                "{value}"
            );
        }
    }

    #[test]
    fn unknown_ones_only_are_refused() {
        assert_eq!(
            propagators("b3,xray").unwrap_err(),
            "OTEL_PROPAGATORS is `b3,xray`: allowed: `tracecontext`, `baggage`, or `none`"
        );
    }
}
