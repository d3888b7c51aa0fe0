//! Sets up OpenTelemetry tracing with one call.
//!
//! ```no_run
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = dynamo_trace_sdk::init("frontend")?;
//!     // ...
//!     telemetry.shutdown()?;
//!     Ok(())
//! }
//! ```
//!
//! That installs strict W3C propagation, a tracer provider that exports over OTLP, and logs that
//! carry `trace_id` and `span_id`. It works from a multi-thread runtime, a current-thread runtime
//! and without one. What is set in code goes before the environment, and that before the default.
//!
//! # Environment
//!
//! An empty value equals unset; names of choices are read in any case. A value that cannot be used
//! fails [`init`] with a message that names the variable, the value and what is allowed.
//!
//! | variable | value | default |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `true`: record and export nothing, but propagate and log | |
//! | `OTEL_SERVICE_NAME` | `service.name` | the argument of [`init`] |
//! | `OTEL_RESOURCE_ATTRIBUTES` | `key=value,..`, percent-encoded | |
//! | `OTEL_PROPAGATORS` | a list of `tracecontext`, `baggage`; or `none` | `tracecontext,baggage` |
//! | `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` | the HTTP methods that may be named, by case: `GET,POST,..`; any other is `_OTHER` | RFC 9110, `PATCH`, `QUERY` |
//! | `OTEL_TRACES_SAMPLER` | `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off`, `parentbased_traceidratio` | `parentbased_always_on` |
//! | `OTEL_TRACES_SAMPLER_ARG` | a ratio from 0 to 1 | 1 |
//! | `OTEL_TRACES_EXPORTER` | `otlp`, `none` (for every endpoint); others in a list with them are warned about | `otlp` |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` ¹ | `grpc`, `http/protobuf` | `http/protobuf` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` ¹ | a URL without credentials; for OTLP/HTTP, `/v1/traces` is appended, but not to the one for traces | `http://localhost:4317` (gRPC), `http://localhost:4318` (HTTP) |
//! | `OTEL_EXPORTER_OTLP_INSECURE` ¹ | `true`: a gRPC endpoint without a scheme is `http` | `https` |
//! | `OTEL_EXPORTER_OTLP_HEADERS` ¹ | `name=value,..`, percent-encoded | |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` ¹ | milliseconds for a request with its retries; 0: no limit | 10000 |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` ¹ | `none`, `gzip` | `none` |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | ended spans that may wait, for each endpoint; 1 to 1,000,000 | 2048 |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | spans in a request; 1 to 1,000,000 | 512 |
//! | `OTEL_BSP_SCHEDULE_DELAY` | milliseconds a span waits at most | 5000 |
//! | `OTEL_SPAN_{ATTRIBUTE,EVENT,LINK}_COUNT_LIMIT`, `OTEL_{EVENT,LINK}_ATTRIBUTE_COUNT_LIMIT` | entries | 128 |
//! | `DYNAMO_TRACE_LOG_FORMAT` | `text`, `json` | `text` |
//! | `RUST_LOG` | a level, or directives of `tracing-subscriber` | `info` |
//!
//! ¹ The same name with `OTLP_TRACES` in place of `OTLP` goes first.
//!
//! Not supported, and warned about if set: `OTEL_CONFIG_FILE`,
//! `OTEL_EXPORTER_OTLP_{CERTIFICATE,CLIENT_KEY,CLIENT_CERTIFICATE}` ¹, `OTEL_BSP_EXPORT_TIMEOUT`,
//! `OTEL_ATTRIBUTE_COUNT_LIMIT`, `OTEL_{,SPAN_}ATTRIBUTE_VALUE_LENGTH_LIMIT`.
//!
//! # Logs
//!
//! Lines go to standard error. The ids in them are those of the OpenTelemetry context that is
//! current, whichever API made its span. Events of the exporter and its transports are kept out,
//! by thread, so those of the application's own connections are not; what OpenTelemetry says about
//! lost spans is kept in. If a `tracing` subscriber is set already, it stays, and is told once.
//!
//! # Features
//!
//! `tls`: endpoints with `https`, verified by the platform's root certificates. Without it, such
//! an endpoint fails [`init`].

mod builder;
mod error;
mod export;
mod id_generator;
mod logs;
mod propagation;
mod settings;
mod telemetry;

pub use builder::Builder;
pub use error::{InitError, ShutdownError};
pub use id_generator::RootIds;
pub use settings::{LogFormat, Protocol};
pub use telemetry::Telemetry;

/// Sets up telemetry for a service that is called `service_name` unless `OTEL_SERVICE_NAME` says
/// otherwise. [`Telemetry::builder`] has more to choose from.
///
/// # Errors
///
/// Those of [`Builder::init`].
pub fn init(service_name: impl Into<String>) -> Result<Telemetry, InitError> {
    Telemetry::builder(service_name).init()
}
