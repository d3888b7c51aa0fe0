//! `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`.

use http::Method;

use super::environment::Environment;
use crate::InitError;

const KNOWN_METHODS: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// The HTTP methods that spans may be named after, if there is a list. They compare by case.
pub(super) fn known(environment: &Environment) -> Result<Option<Vec<String>>, InitError> {
    let Some(value) = environment.text(KNOWN_METHODS) else {
        return Ok(None);
    };
    let mut methods: Vec<String> = Vec::new();
    for method in value.split(',').map(str::trim) {
        if !method.is_empty() && !methods.iter().any(|known| known == method) {
            methods.push(method.to_owned());
        }
    }
    let is_method = |method: &String| Method::from_bytes(method.as_bytes()).is_ok();
    if methods.is_empty() || !methods.iter().all(is_method) {
        let expected = "must be HTTP methods with commas between, like GET,POST,PURGE";
        return Err(InitError::invalid(KNOWN_METHODS, value, expected));
    }
    Ok(Some(methods))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Result<Option<Vec<String>>, String> {
        known(&Environment::of([(KNOWN_METHODS, value)])).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_keeps_its_case_and_order() {
        for (value, expected) in [
            ("GET", vec!["GET"]),
            ("PURGE, get,GET ,PURGE,", vec!["PURGE", "get", "GET"]),
            ("M-SEARCH,a!b", vec!["M-SEARCH", "a!b"]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(of(value), Ok(Some(expected)), "{value}");
        }
        assert_eq!(of(""), Ok(None));
        assert_eq!(known(&Environment::of([])).unwrap(), None);
    }

    #[test]
    fn what_is_no_method_is_refused() {
        for value in [
            "GET,NO METHOD",
            "GET;POST",
            "GET,\u{e9}",
            "GET,a/b",
            ",",
            " , ",
        ] {
            let value = value.trim();
            let expected = "must be HTTP methods with commas between, like GET,POST,PURGE";
            let message = format!("{KNOWN_METHODS} is `{value}`: {expected}");
            assert_eq!(of(value), Err(message));
        }
    }
}
