//! What can go wrong at start and at shutdown. Nothing in between returns an error.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::OTelSdkError;

/// Why telemetry could not be set up: nearly always a setting that has to be corrected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting has a value that cannot be used.
    #[error("{setting} is `{value}`: {expected}")]
    Invalid {
        /// The environment variable, or the method of [`Builder`](crate::Builder).
        setting: &'static str,
        /// Its value, without credentials.
        value: String,
        /// What is allowed instead.
        expected: Cow<'static, str>,
    },

    /// Telemetry was set up before, and can be once in a process only: its adapters keep the first
    /// tracer provider and propagation, even after a shutdown.
    #[error("telemetry is set up already, which works once in a process; keep the first guard")]
    AlreadySet,

    /// The OTLP exporter refused its settings.
    #[error("cannot build the OTLP exporter")]
    Exporter(#[source] ExporterBuildError),

    /// The platform's root certificates could not be loaded.
    #[error("cannot load the root certificates for https endpoints")]
    Certificates(#[source] std::io::Error),

    /// The thread that exports spans could not be started.
    #[error("cannot start the export thread")]
    Thread(#[source] std::io::Error),
}

impl InitError {
    pub(crate) fn invalid(
        setting: &'static str,
        value: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Invalid {
            setting,
            value: value.into(),
            expected: expected.into(),
        }
    }
}

/// Why spans that ended before a flush or a shutdown may not have arrived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time was up before every span had been sent; those that were still waiting are lost.
    #[error(
        "spans for {endpoint} were still waiting after {} s; does a collector answer there?",
        .timeout.as_secs_f64()
    )]
    Timeout {
        /// How long they were waited for.
        timeout: Duration,
        /// The endpoint and its protocol, without credentials.
        endpoint: String,
    },

    /// Spans could not be sent.
    #[error("{spans} spans could not be sent to {endpoint}")]
    Unsent {
        /// How many spans failed during this flush or shutdown. A span that goes to two endpoints
        /// counts for each of them.
        spans: u64,
        /// The endpoint of the last failure and its protocol, without credentials.
        endpoint: String,
        /// The last failure: why, and what to look at.
        source: OTelSdkError,
    },

    /// The SDK's batch processor failed.
    #[error("the batch processor failed")]
    Processor(#[source] OTelSdkError),
}
