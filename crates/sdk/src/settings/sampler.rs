//! `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
//!
//! The SDK reads them too, but case-sensitively, and what it does not understand becomes
//! "sample everything" with a warning: an expensive answer to a typing error.

use opentelemetry_sdk::trace::Sampler;

use super::environment::{Environment, one_of};
use crate::InitError;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

#[derive(Clone, Copy)]
enum Root {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio,
}

const ALLOWED: [(&str, (bool, Root)); 6] = [
    ("always_on", (false, Root::AlwaysOn)),
    ("always_off", (false, Root::AlwaysOff)),
    ("traceidratio", (false, Root::TraceIdRatio)),
    ("parentbased_always_on", (true, Root::AlwaysOn)),
    ("parentbased_always_off", (true, Root::AlwaysOff)),
    ("parentbased_traceidratio", (true, Root::TraceIdRatio)),
];

/// The sampler that the environment asks for; `parentbased_always_on` by default.
pub(super) fn from_environment(environment: &Environment) -> Result<Sampler, InitError> {
    let (parent_based, root) = match environment.text(SAMPLER) {
        Some(value) => one_of(SAMPLER, &value, &ALLOWED)?,
        None => (true, Root::AlwaysOn),
    };
    let root = match root {
        Root::AlwaysOn => Sampler::AlwaysOn,
        Root::AlwaysOff => Sampler::AlwaysOff,
        Root::TraceIdRatio => Sampler::TraceIdRatioBased(ratio(environment)?),
    };
    Ok(if parent_based {
        Sampler::ParentBased(Box::new(root))
    } else {
        root
    })
}

fn ratio(environment: &Environment) -> Result<f64, InitError> {
    let Some(value) = environment.text(ARGUMENT) else {
        return Ok(1.0);
    };
    match value.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(InitError::invalid(
            ARGUMENT,
            value,
            "must be a ratio from 0 to 1, like 0.25",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(name: &'static str, argument: &'static str) -> Result<String, String> {
        from_environment(&Environment::of([(SAMPLER, name), (ARGUMENT, argument)]))
            .map(|sampler| format!("{sampler:?}"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_sampler_in_any_case() {
        for (name, expected) in [
            ("", "ParentBased(AlwaysOn)"),
            ("always_on", "AlwaysOn"),
            ("ALWAYS_OFF", "AlwaysOff"),
            ("TraceIdRatio", "TraceIdRatioBased(0.25)"),
            ("parentbased_always_on", "ParentBased(AlwaysOn)"),
            ("ParentBased_Always_Off", "ParentBased(AlwaysOff)"),
            (
                "parentbased_traceidratio",
                "ParentBased(TraceIdRatioBased(0.25))",
            ),
        ] {
            assert_eq!(sampler(name, "0.25").as_deref(), Ok(expected));
        }
        assert_eq!(
            sampler("traceidratio", "").as_deref(),
            Ok("TraceIdRatioBased(1.0)")
        );
    }

    #[test]
    fn an_unknown_sampler_is_named_with_what_is_allowed() {
        let message = sampler("jaeger_remote", "").unwrap_err();
        assert_eq!(
            message,
            "OTEL_TRACES_SAMPLER is `jaeger_remote`: allowed: `always_on`, `always_off`, \
             `traceidratio`, `parentbased_always_on`, `parentbased_always_off`, \
             `parentbased_traceidratio`"
        );
    }

    #[test]
    fn a_ratio_is_from_zero_to_one() {
        for argument in ["1.5", "-0.1", "NaN", "half", "10%"] {
            let message = sampler("traceidratio", argument).unwrap_err();
            assert_eq!(
                message,
                format!(
                    "OTEL_TRACES_SAMPLER_ARG is `{argument}`: must be a ratio from 0 to 1, like 0.25"
                )
            );
        }
        // An argument that the sampler does not read is not judged.
        assert!(sampler("always_on", "half").is_ok());
    }
}
