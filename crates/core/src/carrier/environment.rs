use super::{Carrier, CarrierMut, Field};
use std::collections::BTreeMap;
use std::fmt;

/// Propagation fields as environment variables of a child process: `TRACEPARENT`,
/// `TRACESTATE`, `BAGGAGE`; other names in upper case, with `_` for what a variable's name
/// cannot hold.
///
/// The caller reads and writes the process environment:
///
/// ```
/// use dynamo_trace_core::{Environment, Propagation};
/// use opentelemetry::Context;
///
/// let propagation = Propagation::w3c();
///
/// // the parent
/// let mut variables = Environment::default();
/// propagation.inject(&Context::current(), &mut variables);
/// let mut child = std::process::Command::new("engine");
/// child.envs(&variables);
///
/// // the child
/// let received = Environment::of(propagation.fields(), |name| std::env::var(name).ok());
/// let context = propagation.extract(&Context::new(), &received);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of these fields, as `read` gives them, and no others: what else stands in
    /// an environment may be secret.
    pub fn of<'f>(
        fields: impl IntoIterator<Item = &'f str>,
        read: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let names = fields.into_iter().map(|name| variable(Field::Other(name)));
        names
            .filter_map(|name| read(&name).map(|value| (name, value)))
            .collect()
    }

    /// The variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The variable's name: upper case letters, digits and `_`, no digit in front.
fn variable(field: Field<'_>) -> String {
    let mut name: String = field
        .name()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

impl Carrier for Environment {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .get(&variable(field))
            .map(String::as_bytes)
            .into_iter()
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn is_named(&self, own: &str, field: &str) -> bool {
        own == variable(Field::Other(field))
    }
}

impl CarrierMut for Environment {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        // A NUL would make `Command::spawn` fail.
        if value.contains('\0') {
            self.remove_field(field);
        } else {
            self.0.insert(variable(field), value.to_owned());
        }
    }

    fn remove_field(&mut self, field: Field<'_>) {
        self.0.remove(&variable(field));
    }
}

/// Shows the names; the values may be anything that the process was given.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Environment {
    type Item = (&'a String, &'a String);
    type IntoIter = std::collections::btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_read_and_values_are_not_shown() {
        let read = |name: &str| Some(format!("value of {name}"));
        let variables = Environment::of(["traceparent", "b3"], read);
        assert_eq!(
            variables.field_names().collect::<Vec<_>>(),
            ["B3", "TRACEPARENT"]
        );
        assert_eq!(format!("{variables:?}"), r#"{"B3", "TRACEPARENT"}"#);
    }

    #[test]
    fn names_are_what_a_shell_accepts() {
        let mut variables = Environment::default();
        variables.set_field(Field::TraceParent, "00-..");
        variables.set_field(Field::Other("x-b3-traceid"), "1");
        variables.set_field(Field::Other("1st"), "2");
        variables.set_field(Field::Baggage, "a\0b");
        let names: Vec<_> = variables.field_names().collect();
        assert_eq!(names, ["TRACEPARENT", "X_B3_TRACEID", "_1ST"]);
        assert_eq!(variables.values_of(Field::Other("X-B3-TraceId")).count(), 1);
    }
}
