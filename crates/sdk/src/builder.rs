//! What the code may say before the environment does.

use std::fmt;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::ShouldSample;

use crate::settings::{Environment, FromCode, LogFormat, Protocol, Settings};
use crate::{InitError, Telemetry};

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Sets up telemetry: [`Telemetry::builder`], some of the methods below, [`init`](Self::init).
///
/// What is said here goes before the environment, and that before the default.
///
/// ```no_run
/// use dynamo_trace_sdk::{LogFormat, Telemetry};
/// use opentelemetry::KeyValue;
///
/// let telemetry = Telemetry::builder("worker")
///     .resource_attributes([KeyValue::new("deployment.environment.name", "staging")])
///     .also_export_to("http://localhost:14318")
///     .log_format(LogFormat::Json)
///     .init()?;
/// # Ok::<_, dynamo_trace_sdk::InitError>(())
/// ```
#[must_use = "nothing is set up before `init`"]
pub struct Builder {
    pub(crate) service_name: String,
    pub(crate) sampler: Option<Box<dyn ShouldSample>>,
    pub(crate) resource_attributes: Vec<KeyValue>,
    pub(crate) otlp: FromCode,
    pub(crate) logs: bool,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) shutdown_timeout: Duration,
}

impl Builder {
    pub(crate) fn new(service_name: impl Into<String>) -> Self {
        Self {
            service_name: service_name.into(),
            sampler: None,
            resource_attributes: Vec::new(),
            otlp: FromCode::default(),
            logs: true,
            log_format: None,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
        }
    }

    /// Decides which new traces are recorded, instead of `OTEL_TRACES_SAMPLER`.
    pub fn sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Adds attributes to the resource. They replace those of `OTEL_RESOURCE_ATTRIBUTES` and
    /// `OTEL_SERVICE_NAME` with the same key.
    pub fn resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.resource_attributes.extend(attributes);
        self
    }

    /// Chooses the protocol for every endpoint, instead of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn otlp_protocol(mut self, protocol: Protocol) -> Self {
        self.otlp.protocol = Some(protocol);
        self
    }

    /// Exports to `url`, like `http://localhost:4318`, instead of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    ///
    /// For OTLP/HTTP, `/v1/traces` is the path of a URL that has none.
    pub fn otlp_endpoint(mut self, url: impl Into<String>) -> Self {
        self.otlp.endpoint = Some(url.into());
        self
    }

    /// Exports every span to `url` too, over a queue of its own, so that neither endpoint waits
    /// for the other.
    ///
    /// `OTEL_EXPORTER_OTLP_HEADERS` are not sent there: they hold the credentials of the first
    /// endpoint.
    pub fn also_export_to(mut self, url: impl Into<String>) -> Self {
        self.otlp.more_endpoints.push(url.into());
        self
    }

    /// Chooses how a log line looks, instead of `DYNAMO_TRACE_LOG_FORMAT`.
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.log_format = Some(format);
        self
    }

    /// Installs no `tracing` subscriber: the application brings its own.
    pub fn without_logs(mut self) -> Self {
        self.logs = false;
        self
    }

    /// How long shutdown may take to send what is left; 5 s by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets up propagation, export and logs for this process.
    ///
    /// It does not wait for the collector, which may come up later or never. No `tokio` runtime is
    /// needed.
    ///
    /// # Errors
    ///
    /// Where a setting cannot be understood, the error names it, its value and what is allowed.
    /// Nothing has been set up then, and `init` may be called again. After it has succeeded it gives
    /// [`InitError::AlreadySet`], also when telemetry was shut down.
    pub fn init(self) -> Result<Telemetry, InitError> {
        Telemetry::start(Settings::resolve(self, &Environment::process())?)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("service_name", &self.service_name)
            .field("sampler", &self.sampler)
            .field("resource_attributes", &self.resource_attributes)
            .field("logs", &self.logs)
            .field("log_format", &self.log_format)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}
