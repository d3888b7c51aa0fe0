//! What a server knows of a request.

use super::authority::{Authority, Scheme};
use super::forwarded::Forwarded;
use super::{Http, capped, protocol_version};
use crate::attributes::{
    CLIENT_ADDRESS, HTTP_REQUEST_BODY_SIZE, HTTP_ROUTE, MAX_LEN, NETWORK_PEER_ADDRESS,
    NETWORK_PEER_PORT, SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_QUERY, URL_SCHEME,
    USER_AGENT_ORIGINAL, cut,
};
use crate::framework::{Framework, PeerAddr};
use crate::redact;
use dynamo_trace_core::span::{Recent, recent_value};
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use opentelemetry::{KeyValue, StringValue};
use std::sync::Arc;

pub(super) fn push<F: Framework, B>(
    http: &Http<F>,
    attributes: &mut Vec<KeyValue>,
    request: &Request<B>,
    route: Option<StringValue>,
) {
    let (uri, headers) = (request.uri(), request.headers());
    let options = &http.options;
    let forwarded = Forwarded::read(headers, options.trusted_proxies);
    let scheme = forwarded.scheme().unwrap_or_else(|| Scheme::of(uri));
    attributes.push(path(uri, route.as_ref()));
    attributes.push(KeyValue::new(URL_SCHEME, scheme.name));
    if let Some(query) = uri.query() {
        attributes.push(capped(URL_QUERY, &redact::query(query)));
    }
    attributes.extend(route.map(|route| KeyValue::new(HTTP_ROUTE, route)));
    let authority = forwarded.host.map(str::as_bytes);
    let authority = authority
        .or_else(|| uri.authority().map(|a| a.as_str().as_bytes()))
        .or_else(|| headers.get(HOST).map(HeaderValue::as_bytes));
    if let Some(Authority { host, port }) = authority.and_then(Authority::read) {
        attributes.push(KeyValue::new(SERVER_ADDRESS, host));
        let port = port.filter(|port| *port != scheme.port);
        attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    }
    let agent = headers.get(USER_AGENT).and_then(user_agent);
    attributes.extend(agent.map(|agent| KeyValue::new(USER_AGENT_ORIGINAL, agent)));
    attributes.extend(protocol_version(request.version()));
    let extensions = request.extensions();
    let peer = extensions.get().map(|peer: &PeerAddr| peer.0);
    let peer = peer.or_else(|| F::peer(extensions));
    if let Some(client) = forwarded.client.or(peer.map(|peer| peer.ip())) {
        let client = recent_value(&client.to_canonical().to_string());
        attributes.push(KeyValue::new(CLIENT_ADDRESS, client));
    }
    if let Some(peer) = peer {
        let address = recent_value(&peer.ip().to_canonical().to_string());
        attributes.push(KeyValue::new(NETWORK_PEER_ADDRESS, address));
        attributes.push(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
    }
    if options.body_sizes {
        let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let length = length.and_then(|length| length.parse::<i64>().ok());
        attributes.extend(length.map(|length| KeyValue::new(HTTP_REQUEST_BODY_SIZE, length)));
    }
}

/// The scheme by which the caller reached the outermost proxy of one's own, or the server.
pub(super) fn scheme<F: Framework, B>(http: &Http<F>, request: &Request<B>) -> &'static str {
    let forwarded = Forwarded::read(request.headers(), http.options.trusted_proxies);
    let scheme = forwarded.scheme();
    scheme.unwrap_or_else(|| Scheme::of(request.uri())).name
}

/// A route without parameters is its path, and need not be copied.
fn path(uri: &Uri, route: Option<&StringValue>) -> KeyValue {
    match route {
        Some(route) if route.as_str() == uri.path() => KeyValue::new(URL_PATH, route.clone()),
        _ => capped(URL_PATH, uri.path()),
    }
}

thread_local! {
    static AGENTS: Recent<Option<StringValue>> = const { Recent::new() };
}

fn user_agent(value: &HeaderValue) -> Option<StringValue> {
    let make = || {
        let text = value.to_str().ok()?;
        Some(StringValue::from(Arc::from(cut(text, MAX_LEN))))
    };
    let recent = AGENTS.try_with(|recent| recent.get_or_make(value.as_bytes(), make));
    // The thread is going down.
    recent.unwrap_or_else(|_| make())
}
