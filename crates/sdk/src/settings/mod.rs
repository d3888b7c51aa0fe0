//! Every decision made at start: what the code says, then the environment, then the default.
//!
//! All of it is resolved, and every wrong value found, before anything global changes.

mod endpoint;
mod environment;
mod exporters;
mod limits;
mod logs;
mod methods;
mod otlp;
mod pairs;
mod propagators;
mod resource;
mod sampler;
mod unsupported;

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{ShouldSample, SpanLimits};

use crate::{Builder, InitError};

pub(crate) use environment::Environment;
use exporters::Exporters;
pub(crate) use limits::Batching;
pub use logs::LogFormat;
pub(crate) use logs::Logs;
pub use otlp::Protocol;
pub(crate) use otlp::{FromCode, Target};
pub(crate) use propagators::Propagators;

const DISABLED: &str = "OTEL_SDK_DISABLED";

/// What to set up.
pub(crate) struct Settings {
    /// `None`: `OTEL_SDK_DISABLED` is true.
    pub(crate) traces: Option<Traces>,
    /// `None`: the application has its own subscriber.
    pub(crate) logs: Option<Logs>,
    pub(crate) propagators: Propagators,
    /// `None`: those of the semantic conventions.
    pub(crate) http_methods: Option<Vec<String>>,
    pub(crate) shutdown_timeout: Duration,
}

pub(crate) struct Traces {
    /// Empty: spans are recorded, and exported nowhere.
    pub(crate) targets: Vec<Target>,
    /// `OTEL_TRACES_EXPORTER`, if it names more exporters than there are here.
    pub(crate) unknown_exporters: Option<String>,
    /// The variables that are set to no effect.
    pub(crate) unsupported: Option<String>,
    pub(crate) sampler: Box<dyn ShouldSample>,
    pub(crate) resource: Resource,
    pub(crate) limits: SpanLimits,
    pub(crate) batching: Batching,
}

impl Settings {
    pub(crate) fn resolve(builder: Builder, environment: &Environment) -> Result<Self, InitError> {
        let logs = if builder.logs {
            Some(Logs::resolve(builder.log_format, environment)?)
        } else {
            None
        };
        let shutdown_timeout = builder.shutdown_timeout;
        let propagators = Propagators::from_environment(environment)?;
        let http_methods = methods::known(environment)?;
        let traces = if environment.flag(DISABLED) {
            None
        } else {
            Some(Traces::resolve(builder, environment)?)
        };
        Ok(Self {
            traces,
            logs,
            propagators,
            http_methods,
            shutdown_timeout,
        })
    }
}

impl Traces {
    fn resolve(builder: Builder, environment: &Environment) -> Result<Self, InitError> {
        let sampler = match builder.sampler {
            Some(sampler) => sampler,
            None => Box::new(sampler::from_environment(environment)?),
        };
        let exporters = Exporters::from_environment(environment)?;
        let targets = if exporters.otlp {
            otlp::targets(environment, builder.otlp)?
        } else {
            Vec::new()
        };
        Ok(Self {
            targets,
            unknown_exporters: exporters.incomplete,
            unsupported: unsupported::set(environment),
            sampler,
            resource: resource::resource(
                environment,
                builder.service_name,
                builder.resource_attributes,
            )?,
            limits: limits::span(environment)?,
            batching: Batching::from_environment(environment)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::Sampler;

    #[test]
    fn a_disabled_sdk_reads_nothing_about_traces() {
        let environment =
            Environment::of([(DISABLED, "TRUE"), ("OTEL_TRACES_SAMPLER", "nonsense")]);
        let settings = Settings::resolve(Builder::new("a"), &environment).unwrap();
        assert!(settings.traces.is_none());
        assert!(settings.logs.is_some());
    }

    #[test]
    fn none_exports_nothing() {
        let environment = Environment::of([
            ("OTEL_TRACES_EXPORTER", "None"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense"),
        ]);
        let builder = Builder::new("a").also_export_to("http://more:1");
        let traces = Settings::resolve(builder, &environment).unwrap().traces;
        assert!(traces.unwrap().targets.is_empty());
    }

    #[test]
    fn a_sampler_in_code_goes_before_the_environment() {
        let environment = Environment::of([("OTEL_TRACES_SAMPLER", "nonsense")]);
        let builder = Builder::new("a").sampler(Sampler::AlwaysOff);
        let traces = Settings::resolve(builder, &environment)
            .unwrap()
            .traces
            .unwrap();
        assert_eq!(format!("{:?}", traces.sampler), "AlwaysOff");
    }

    #[test]
    fn without_logs_nothing_is_read_about_logs() {
        let environment = Environment::of([("RUST_LOG", "a=nonsense")]);
        assert!(Settings::resolve(Builder::new("a"), &environment).is_err());
        let settings = Settings::resolve(Builder::new("a").without_logs(), &environment).unwrap();
        assert!(settings.logs.is_none());
    }
}
