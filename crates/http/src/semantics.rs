use crate::attributes::{
    HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
    NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, STREAM_BYTES, STREAM_CHUNKS,
    STREAM_LONGEST_GAP, TIME_TO_FIRST_CHUNK, URL_FULL, URL_PATH, URL_QUERY, URL_SCHEME,
    USER_AGENT_ORIGINAL,
};
use crate::engine::{Head, Semantics, StreamSummary};
use crate::redact;
use dynamo_trace_core::{Ending, SpanGuard};
use http::header::{HOST, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, Version};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;

/// The HTTP semantic conventions.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Http;

/// The methods that may be named: RFC 9110, PATCH and QUERY; they compare by case.
const KNOWN_METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
];
const OTHER: &str = "_OTHER";

fn known_method(method: &Method) -> Option<&'static str> {
    let method = method.as_str();
    KNOWN_METHODS.into_iter().find(|known| *known == method)
}

#[cfg(feature = "axum")]
fn route<B>(request: &Request<B>) -> Option<&str> {
    let matched = request.extensions().get::<axum::extract::MatchedPath>();
    matched.map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn route<B>(_: &Request<B>) -> Option<&str> {
    None
}

/// `{method} {route}`, else `{method}`; `HTTP` stands for an unknown method. Never the path.
fn name<B>(kind: &SpanKind, request: &Request<B>) -> Cow<'static, str> {
    let method = known_method(request.method()).unwrap_or("HTTP");
    match route(request).filter(|_| *kind == SpanKind::Server) {
        Some(route) => format!("{method} {route}").into(),
        None => method.into(),
    }
}

impl Semantics for Http {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    fn start<B>(&self, kind: &SpanKind, request: &Request<B>) -> SpanBuilder {
        let mut attributes = Vec::with_capacity(16);
        let method = known_method(request.method()).unwrap_or(OTHER);
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, method));
        let uri = request.uri();
        let scheme = if uri.scheme_str() == Some("https") {
            "https"
        } else {
            "http"
        };
        match kind {
            SpanKind::Server => {
                attributes.push(KeyValue::new(URL_PATH, uri.path().to_owned()));
                attributes.push(KeyValue::new(URL_SCHEME, scheme));
                if let Some(query) = uri.query() {
                    attributes.push(KeyValue::new(URL_QUERY, redact::query(query).into_owned()));
                }
                if let Some(route) = route(request) {
                    attributes.push(KeyValue::new(HTTP_ROUTE, route.to_owned()));
                }
            }
            _ => attributes.push(KeyValue::new(URL_FULL, redact::url(uri))),
        }
        push_server(&mut attributes, kind, request, scheme);
        SpanBuilder::from_name(name(kind, request)).with_attributes(attributes)
    }

    fn describe<B>(&self, kind: &SpanKind, request: &Request<B>, span: &SpanGuard) {
        let method = request.method();
        let original = known_method(method).is_none();
        let original = original
            .then(|| KeyValue::new(HTTP_REQUEST_METHOD_ORIGINAL, method.as_str().to_owned()));
        let agent = (*kind == SpanKind::Server)
            .then(|| text(request.headers(), &USER_AGENT))
            .flatten()
            .map(|agent| KeyValue::new(USER_AGENT_ORIGINAL, agent.to_owned()));
        span.set_attributes(original.into_iter().chain(agent));
        if *kind == SpanKind::Server {
            span.set_attributes(protocol_version(request.version()));
        }
    }

    fn on_head<B>(&self, kind: &SpanKind, response: &Response<B>, span: &SpanGuard) -> Head {
        let status = response.status();
        let code = i64::from(status.as_u16());
        span.set_attributes([KeyValue::new(HTTP_RESPONSE_STATUS_CODE, code)]);
        let failed = match kind {
            SpanKind::Server => status.is_server_error(),
            _ => status.is_client_error() || status.is_server_error(),
        };
        let failure = failed.then(|| Ending::failed(status.as_str().to_owned()));
        if *kind == SpanKind::Client {
            span.set_attributes(protocol_version(response.version()));
            return Head::Ends(failure.unwrap_or(Ending::Complete));
        }
        failure.map_or(Head::Streams(Ending::Complete), Head::Decided)
    }

    fn on_trailers(&self, _: &SpanKind, _: &HeaderMap, _: &SpanGuard) -> Option<Ending> {
        None
    }

    fn on_body_end(&self, _: &SpanKind, summary: &StreamSummary, span: &SpanGuard) {
        // One chunk is a plain body, not a stream.
        if summary.chunks < 2 {
            return;
        }
        span.set_attributes([
            KeyValue::new(STREAM_CHUNKS, signed(summary.chunks)),
            KeyValue::new(STREAM_BYTES, signed(summary.bytes)),
            KeyValue::new(STREAM_LONGEST_GAP, summary.longest_gap.as_secs_f64()),
        ]);
        let first = summary.time_to_first_chunk.filter(|_| summary.event_stream);
        span.set_attributes(first.map(|t| KeyValue::new(TIME_TO_FIRST_CHUNK, t.as_secs_f64())));
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `server.address` and `server.port`: from the authority, else from `Host`. A server leaves
/// the scheme's own port out.
fn push_server<B>(
    attributes: &mut Vec<KeyValue>,
    kind: &SpanKind,
    request: &Request<B>,
    scheme: &str,
) {
    let host = || text(request.headers(), &HOST)?.parse::<Authority>().ok();
    let Some(authority) = request.uri().authority().cloned().or_else(host) else {
        return;
    };
    let default = if scheme == "https" { 443 } else { 80 };
    // An IPv6 address stands without its brackets.
    let address = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    attributes.push(KeyValue::new(SERVER_ADDRESS, address.to_owned()));
    let port = match kind {
        SpanKind::Client => Some(authority.port_u16().unwrap_or(default)),
        _ => authority.port_u16().filter(|port| *port != default),
    };
    attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
}

fn protocol_version(version: Version) -> Option<KeyValue> {
    let version = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    };
    Some(KeyValue::new(NETWORK_PROTOCOL_VERSION, version))
}
