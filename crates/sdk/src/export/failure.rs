//! What the log and the errors say about a request that failed.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_sdk::error::OTelSdkError;

use crate::settings::{Protocol, Target};

/// Answers of gRPC that come from the transport here, or from a server that is no collector.
const NO_COLLECTOR: [&str; 5] = [
    "Cancelled",
    "Internal",
    "Unavailable",
    "Unimplemented",
    "Unknown",
];

/// The endpoint and the protocol, without credentials.
pub(super) fn name(target: &Target) -> Arc<str> {
    let protocol = match target.protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
    };
    format!("{} ({protocol})", target.shown()).into()
}

/// Why the last request over HTTP had no answer: the exporter crate does not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Network(Arc<Mutex<Option<String>>>);

impl Network {
    pub(super) fn failed(&self, error: &(dyn Error + 'static)) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain(error));
    }

    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// `error`, with the endpoint that it is about, its cause and what to look at.
pub(super) fn explained(error: OTelSdkError, name: &str, cause: Option<String>) -> OTelSdkError {
    let OTelSdkError::InternalFailure(mut reason) = error else {
        return error;
    };
    let no_collector = NO_COLLECTOR
        .iter()
        .any(|code| reason.contains(&format!("gRPC code: {code}")));
    let hint = no_collector || cause.is_some();
    if let Some(cause) = cause {
        reason.push_str(": ");
        reason.push_str(&cause);
    }
    if hint {
        reason.push_str(
            "; is a collector listening there? Port 4317 is usually gRPC, 4318 http/protobuf",
        );
    }
    OTelSdkError::InternalFailure(format!("{name}: {reason}"))
}

/// The error and its sources in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let errors = std::iter::successors(Some(error), |&error| error.source());
    let texts: Vec<_> = errors.map(ToString::to_string).collect();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reason: &str, cause: Option<&str>) -> String {
        let error = OTelSdkError::InternalFailure(reason.to_owned());
        explained(error, "http://a (grpc)", cause.map(str::to_owned)).to_string()
    }

    #[test]
    fn only_who_got_no_answer_is_asked_for_a_collector() {
        let refused = told("network error", Some("connection refused"));
        let start = "Operation failed: http://a (grpc): network error: connection refused; is";
        assert!(refused.starts_with(start), "{refused}");
        assert!(told("gRPC code: Unavailable", None).contains("4317"));
        for reason in ["status code: 401", "gRPC code: Unauthenticated"] {
            let expected = format!("Operation failed: http://a (grpc): {reason}");
            assert_eq!(told(reason, None), expected);
        }
    }

    #[test]
    fn other_errors_stay() {
        let error = explained(OTelSdkError::AlreadyShutdown, "a", None);
        assert!(matches!(error, OTelSdkError::AlreadyShutdown));
    }
}
