//! Variables of the specification that nothing here obeys.

use super::environment::Environment;

const UNSUPPORTED: [&str; 11] = [
    "OTEL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
];

/// Those that are set, with commas between; who sets one shall know that it does nothing.
pub(super) fn set(environment: &Environment) -> Option<String> {
    let is_set = |variable: &&str| environment.text(variable).is_some();
    let set: Vec<_> = UNSUPPORTED.into_iter().filter(is_set).collect();
    (!set.is_empty()).then(|| set.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_named() {
        let environment = Environment::of([
            ("OTEL_BSP_EXPORT_TIMEOUT", "1"),
            ("OTEL_CONFIG_FILE", "otel.yaml"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ""),
        ]);
        let expected = "OTEL_CONFIG_FILE, OTEL_BSP_EXPORT_TIMEOUT";
        assert_eq!(set(&environment).as_deref(), Some(expected));
        assert_eq!(set(&Environment::of([])), None);
    }
}
