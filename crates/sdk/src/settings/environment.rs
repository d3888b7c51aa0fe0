//! The process environment. Nothing else in the workspace reads it.
//!
//! The rules of the [OpenTelemetry specification]: an empty value equals unset, a boolean is true
//! only for `true` in any case, and the values of an enumeration are case-insensitive. One rule is
//! ours: a value that cannot be understood is an error at start, not a warning nobody reads.
//!
//! [OpenTelemetry specification]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::InitError;

type Read = dyn Fn(&str) -> Option<String>;

/// Where variables are read from: the process, or a map in tests.
pub(crate) struct Environment {
    read: Box<Read>,
}

impl Environment {
    /// The environment of this process.
    pub(crate) fn process() -> Self {
        Self::new(|variable| {
            // A value that is not UTF-8 shall be named in an error, not taken for unset.
            std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned())
        })
    }

    pub(crate) fn new(read: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            read: Box::new(read),
        }
    }

    /// The value, without white space around it, unless it is empty.
    pub(crate) fn text(&self, variable: &str) -> Option<String> {
        let value = (self.read)(variable)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The first of `variables` that is set, and its value.
    pub(crate) fn first(&self, variables: [&'static str; 2]) -> Option<(&'static str, String)> {
        variables
            .into_iter()
            .find_map(|variable| Some((variable, self.text(variable)?)))
    }

    pub(crate) fn flag(&self, variable: &str) -> bool {
        self.text(variable)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A number from `least` on.
    pub(crate) fn number<T>(&self, variable: &'static str, least: T) -> Result<Option<T>, InitError>
    where
        T: FromStr + PartialOrd + Display,
    {
        self.parse(variable, |number| *number >= least)
            .map_err(|value| {
                let expected = format!("must be a whole number from {least} on");
                InitError::invalid(variable, value, expected)
            })
    }

    /// A number of `range`.
    pub(crate) fn number_in<T>(
        &self,
        variable: &'static str,
        range: &RangeInclusive<T>,
    ) -> Result<Option<T>, InitError>
    where
        T: FromStr + PartialOrd + Display,
    {
        self.parse(variable, |number| range.contains(number))
            .map_err(|value| {
                let (least, most) = (range.start(), range.end());
                let expected = format!("must be a whole number from {least} to {most}");
                InitError::invalid(variable, value, expected)
            })
    }

    /// What `variable` says, or its value if that is not `allowed`.
    fn parse<T: FromStr>(
        &self,
        variable: &str,
        allowed: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.text(variable) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(parsed) if allowed(&parsed) => Ok(Some(parsed)),
            _ => Err(value),
        }
    }
}

/// The choice among `allowed` that `value` names, in any case.
pub(crate) fn one_of<T: Copy>(
    setting: &'static str,
    value: &str,
    allowed: &[(&'static str, T)],
) -> Result<T, InitError> {
    let choice = allowed
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value));
    choice.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = allowed
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        InitError::invalid(setting, value, format!("allowed: {}", names.join(", ")))
    })
}

#[cfg(test)]
impl Environment {
    pub(crate) fn of<const N: usize>(variables: [(&'static str, &'static str); N]) -> Self {
        let variables = std::collections::HashMap::from(variables);
        Self::new(move |variable| variables.get(variable).map(|value| (*value).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_equals_unset() {
        let environment = Environment::of([("A", ""), ("B", "  "), ("C", " c ")]);
        assert_eq!(environment.text("A"), None);
        assert_eq!(environment.text("B"), None);
        assert_eq!(environment.text("C").as_deref(), Some("c"));
        assert_eq!(environment.first(["A", "C"]), Some(("C", "c".to_owned())));
    }

    #[test]
    fn only_true_is_true() {
        for (value, expected) in [
            ("true", true),
            ("TRUE", true),
            ("True", true),
            ("1", false),
            ("yes", false),
        ] {
            assert_eq!(
                Environment::of([("A", value)]).flag("A"),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn numbers_are_checked() {
        let environment = Environment::of([("A", "12"), ("B", "0"), ("C", "-1"), ("D", "1e3")]);
        assert_eq!(environment.number("A", 1_u64).unwrap(), Some(12));
        assert_eq!(environment.number("Z", 1_u64).unwrap(), None);
        for variable in ["B", "C", "D"] {
            let message = environment.number(variable, 1_u64).unwrap_err().to_string();
            assert!(message.starts_with(variable), "{message}");
            assert!(message.contains("a whole number from 1 on"), "{message}");
        }
    }
}
