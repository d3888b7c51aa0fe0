//! Where spans go and how: `OTEL_EXPORTER_OTLP_*`.
//!
//! The exporter crate reads most of these variables itself, but not the protocol, and with other
//! rules for empty and wrong values. Everything is resolved here, once, and given to it.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::endpoint::{self, Path};
use super::environment::{Environment, one_of};
use super::pairs;
use crate::InitError;

const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const INSECURE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_INSECURE",
];
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const COMPRESSION: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
];

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/gRPC, usually on port 4317.
    Grpc,
    /// OTLP/HTTP with protobuf bodies, usually on port 4318.
    HttpProtobuf,
}

/// What the code says about export; it goes before the environment.
#[derive(Debug, Default)]
pub(crate) struct FromCode {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) endpoint: Option<String>,
    pub(crate) more_endpoints: Vec<String>,
}

/// One endpoint, ready to build an exporter for.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: String,
    /// For the first endpoint only: they may be credentials, and are meant for nobody else.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that the exporter crate takes from the environment on its own, whatever `headers`
    /// says.
    pub(crate) stray_headers: Vec<HeaderName>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
}

impl Target {
    /// The endpoint, without its query, where keys may be.
    pub(crate) fn shown(&self) -> String {
        endpoint::redacted(&self.endpoint)
    }
}

/// Every endpoint that spans go to.
pub(super) fn targets(environment: &Environment, code: FromCode) -> Result<Vec<Target>, InitError> {
    let protocol = protocol(environment, code.protocol)?;
    let timeout = timeout(environment)?;
    let gzip = gzip(environment)?;
    let headers = headers(environment)?;
    let stray_headers = stray_headers(environment);
    let insecure = environment
        .first(INSECURE)
        .is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
    let from_code =
        |setting, url: &str| endpoint::resolve(setting, url, protocol, Path::IfNone, insecure);

    let endpoint = match &code.endpoint {
        Some(url) => from_code("Builder::otlp_endpoint", url)?,
        None => endpoint_from_environment(environment, protocol, insecure)?,
    };
    let target = |endpoint, headers| Target {
        protocol,
        endpoint,
        headers,
        stray_headers: stray_headers.clone(),
        timeout,
        gzip,
    };
    let mut targets = vec![target(endpoint, headers)];
    for url in &code.more_endpoints {
        let endpoint = from_code("Builder::also_export_to", url)?;
        targets.push(target(endpoint, Vec::new()));
    }
    Ok(targets)
}

fn protocol(environment: &Environment, code: Option<Protocol>) -> Result<Protocol, InitError> {
    if let Some(protocol) = code {
        return Ok(protocol);
    }
    match environment.first(PROTOCOL) {
        Some((variable, value)) => one_of(
            variable,
            &value,
            &[
                ("grpc", Protocol::Grpc),
                ("http/protobuf", Protocol::HttpProtobuf),
            ],
        ),
        None => Ok(Protocol::HttpProtobuf),
    }
}

fn endpoint_from_environment(
    environment: &Environment,
    protocol: Protocol,
    insecure: bool,
) -> Result<String, InitError> {
    if let Some(url) = environment.text(TRACES_ENDPOINT) {
        return endpoint::resolve(TRACES_ENDPOINT, &url, protocol, Path::AsGiven, insecure);
    }
    if let Some(url) = environment.text(ENDPOINT) {
        return endpoint::resolve(ENDPOINT, &url, protocol, Path::Append, insecure);
    }
    Ok(match protocol {
        Protocol::Grpc => "http://localhost:4317".to_owned(),
        Protocol::HttpProtobuf => "http://localhost:4318/v1/traces".to_owned(),
    })
}

/// In milliseconds; 0 is no limit, which for one request is as good as a day.
fn timeout(environment: &Environment) -> Result<Duration, InitError> {
    const NO_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
    let Some((variable, _)) = environment.first(TIMEOUT) else {
        return Ok(Duration::from_secs(10));
    };
    Ok(match environment.number(variable, 0)? {
        None | Some(0) => NO_LIMIT,
        Some(milliseconds) => Duration::from_millis(milliseconds).min(NO_LIMIT),
    })
}

fn gzip(environment: &Environment) -> Result<bool, InitError> {
    match environment.first(COMPRESSION) {
        Some((variable, value)) => one_of(variable, &value, &[("none", false), ("gzip", true)]),
        None => Ok(false),
    }
}

fn headers(environment: &Environment) -> Result<Vec<(HeaderName, HeaderValue)>, InitError> {
    let Some((variable, list)) = environment.first(HEADERS) else {
        return Ok(Vec::new());
    };
    // The value is not shown: headers are where API keys are.
    let invalid = |place| {
        let expected = format!("member {place} is not `name=value`, percent-encoded");
        InitError::invalid(variable, "***", expected)
    };
    let pairs = pairs::parse(&list).map_err(invalid)?;
    let header = |(place, (name, value)): (usize, (String, String))| {
        let name = name.parse::<HeaderName>().map_err(|_| invalid(place + 1))?;
        let mut value = value
            .parse::<HeaderValue>()
            .map_err(|_| invalid(place + 1))?;
        value.set_sensitive(true);
        Ok((name, value))
    };
    pairs.into_iter().enumerate().map(header).collect()
}

fn stray_headers(environment: &Environment) -> Vec<HeaderName> {
    let lists = HEADERS
        .into_iter()
        .filter_map(|variable| environment.text(variable));
    let pairs = lists.filter_map(|list| pairs::parse(&list).ok()).flatten();
    pairs.filter_map(|(name, _)| name.parse().ok()).collect()
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
