use crate::attributes::{
    HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
    MAX_LEN, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, STREAM_BYTES, STREAM_CHUNKS,
    STREAM_LONGEST_GAP, TIME_TO_FIRST_CHUNK, URL_FULL, URL_PATH, URL_QUERY, URL_SCHEME,
    USER_AGENT_ORIGINAL, cut,
};
use crate::engine::{Head, Semantics, StreamSummary};
use crate::redact;
use dynamo_trace_core::span::span_name;
use dynamo_trace_core::{Detail, Ending, SpanGuard};
use http::header::{HOST, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{KeyValue, StringValue};

/// The HTTP semantic conventions.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Http;

/// The methods that may be named: RFC 9110, PATCH and QUERY; they compare by case.
const KNOWN_METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
];
const OTHER: &str = "_OTHER";

/// How many attributes a span of a plain request has at most, to the end.
const ATTRIBUTES: usize = 14;

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

impl Semantics for Http {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    fn start<B>(&self, kind: &SpanKind, request: &Request<B>, detail: Detail) -> SpanBuilder {
        let method = known_method(request.method());
        let route = route(request).filter(|_| *kind == SpanKind::Server);
        // `{method} {route}`, else `{method}`; `HTTP` stands for an unknown method. Never the
        // path.
        let operation = method.unwrap_or("HTTP");
        let (name, route) = match route {
            Some(route) => {
                let (name, route) = span_name(operation, route);
                (name, Some(route))
            }
            None => (operation.into(), None),
        };
        let builder = SpanBuilder::from_name(name);
        if detail == Detail::Name {
            return builder;
        }
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, method.unwrap_or(OTHER)));
        if method.is_none() {
            let original = request.method().as_str();
            attributes.push(capped(HTTP_REQUEST_METHOD_ORIGINAL, original));
        }
        match kind {
            SpanKind::Server => push_received(&mut attributes, request, route),
            _ => push_sent(&mut attributes, request),
        }
        builder.with_attributes(attributes)
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

    fn spans_body<B>(&self, kind: &SpanKind, _: &Response<B>) -> bool {
        *kind == SpanKind::Server
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

/// What the other side chooses, of a bounded length.
fn capped(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, cut(value, MAX_LEN).to_owned())
}

fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What a server knows of a request.
fn push_received<B>(
    attributes: &mut Vec<KeyValue>,
    request: &Request<B>,
    route: Option<StringValue>,
) {
    let uri = request.uri();
    let scheme = Scheme::of(uri);
    attributes.push(capped(URL_PATH, uri.path()));
    attributes.push(KeyValue::new(URL_SCHEME, scheme.name));
    if let Some(query) = uri.query() {
        attributes.push(capped(URL_QUERY, &redact::query(query)));
    }
    attributes.extend(route.map(|route| KeyValue::new(HTTP_ROUTE, route)));
    let authority = uri.authority().map(Authority::as_str);
    let authority = authority.or_else(|| text(request.headers(), &HOST));
    if let Some((host, port)) = authority.and_then(split_authority) {
        attributes.push(capped(SERVER_ADDRESS, host));
        let port = port.filter(|port| *port != scheme.port);
        attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    }
    if let Some(agent) = text(request.headers(), &USER_AGENT) {
        attributes.push(capped(USER_AGENT_ORIGINAL, agent));
    }
    attributes.extend(protocol_version(request.version()));
}

/// What a client knows of a request.
fn push_sent<B>(attributes: &mut Vec<KeyValue>, request: &Request<B>) {
    let uri = request.uri();
    let authority = uri.authority().map(Authority::as_str);
    let authority = authority.or_else(|| text(request.headers(), &HOST));
    let server = authority.and_then(split_authority);
    let url = redact::url(uri, authority.filter(|_| server.is_some()));
    attributes.extend(url.map(|url| capped(URL_FULL, &url)));
    if let Some((host, port)) = server {
        attributes.push(capped(SERVER_ADDRESS, host));
        // Who sends a path alone knows the connection; its default port is not known here.
        let port = port.or_else(|| uri.scheme().map(|_| Scheme::of(uri).port));
        attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    }
}

struct Scheme {
    name: &'static str,
    port: u16,
}

impl Scheme {
    fn of(uri: &Uri) -> Self {
        let (name, port) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            _ => ("http", 80),
        };
        Self { name, port }
    }
}

/// Host, an IPv6 address without its brackets, and port of an authority or a `Host` header.
fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, rest)| rest);
    let (host, port) = match host_port.strip_prefix('[') {
        Some(bracketed) => {
            let (address, rest) = bracketed.split_once(']')?;
            (address, rest.strip_prefix(':'))
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:%!$&'()*+,;=".contains(&byte);
    let valid = !host.is_empty() && host.bytes().all(is_host);
    let port = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    valid.then(|| (host, port.and_then(|port| port.parse().ok())))
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
