//! What a server knows of a request.

use super::forwarded::Forwarded;
use super::{Http, capped, protocol_version, request_body_size};
use crate::attributes::{
    CLIENT_ADDRESS, HTTP_ROUTE, MAX_LEN, SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_QUERY,
    URL_SCHEME, USER_AGENT_ORIGINAL, cut,
};
use crate::framework::{Framework, PeerAddr, ip};
use crate::{authority, redact};
use dynamo_trace_core::span::SharedText;
use http::header::{HOST, USER_AGENT};
use http::{Extensions, HeaderValue, Request, Uri};
use opentelemetry::{KeyValue, StringValue};

pub(super) fn push<F: Framework, B>(
    http: &Http<F>,
    attributes: &mut Vec<KeyValue>,
    request: &Request<B>,
    route: Option<StringValue>,
) {
    let (uri, headers) = (request.uri(), request.headers());
    let options = &http.options;
    let forwarded = Forwarded::read(headers, options.trusted_proxies);
    let scheme = forwarded.scheme(uri);
    let query = uri.query();
    let target = || authority::read(uri.authority()?.as_str().as_bytes());
    let host = || authority::read(headers.get(HOST)?.as_bytes());
    let forwarded_host = forwarded.host.map(str::as_bytes).and_then(authority::read);
    let (host, port) = forwarded_host.or_else(target).or_else(host).unzip();
    let port = port.flatten().filter(|port| *port != scheme.port);
    let agent = headers.get(USER_AGENT).and_then(user_agent);
    let peer = peer::<F>(request.extensions());
    let client = forwarded.client.or(peer.map(|peer| peer.0.ip()));
    attributes.push(path(uri, route.as_ref()));
    attributes.push(KeyValue::new(URL_SCHEME, scheme.name));
    attributes.extend(query.map(|query| capped(URL_QUERY, &redact::query(query))));
    attributes.extend(route.map(|route| KeyValue::new(HTTP_ROUTE, route)));
    attributes.extend(host.map(|host| KeyValue::new(SERVER_ADDRESS, host)));
    attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    attributes.extend(agent.map(|agent| KeyValue::new(USER_AGENT_ORIGINAL, agent)));
    attributes.extend(protocol_version(request.version()));
    attributes.extend(client.map(|client| KeyValue::new(CLIENT_ADDRESS, ip(client))));
    attributes.extend(peer.into_iter().flat_map(PeerAddr::attributes));
    if options.body_sizes {
        attributes.extend(request_body_size(headers));
    }
}

fn peer<F: Framework>(extensions: &Extensions) -> Option<PeerAddr> {
    let told = extensions.get().copied();
    told.or_else(|| F::peer(extensions).map(PeerAddr))
}

/// The scheme by which the caller reached the outermost proxy of one's own, or the server.
pub(super) fn scheme<F: Framework, B>(http: &Http<F>, request: &Request<B>) -> &'static str {
    let forwarded = Forwarded::read(request.headers(), http.options.trusted_proxies);
    forwarded.scheme(request.uri()).name
}

/// A route without parameters is its path, and need not be copied.
fn path(uri: &Uri, route: Option<&StringValue>) -> KeyValue {
    match route {
        Some(route) if route.as_str() == uri.path() => KeyValue::new(URL_PATH, route.clone()),
        _ => capped(URL_PATH, uri.path()),
    }
}

fn user_agent(value: &HeaderValue) -> Option<StringValue> {
    let agent = value.to_str().ok()?;
    Some(SharedText::value_of(cut(agent, MAX_LEN)))
}
