//! What a client knows of a request.

use super::scheme::Scheme;
use super::{capped, request_body_size};
use crate::attributes::{
    HTTP_REQUEST_RESEND_COUNT, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_TEMPLATE,
};
use crate::resend::Sends;
use crate::{authority, redact};
use http::header::HOST;
use http::{Extensions, HeaderValue, Request};
use opentelemetry::{KeyValue, StringValue};

pub(super) fn push<B>(
    attributes: &mut Vec<KeyValue>,
    request: &Request<B>,
    template: Option<StringValue>,
    body_sizes: bool,
) {
    let uri = request.uri();
    let host = || request.headers().get(HOST)?.to_str().ok();
    let authority = uri.authority().map(|a| a.as_str()).or_else(host);
    let server = server(request);
    let url = redact::url(uri, authority.filter(|_| server.is_some()));
    attributes.extend(url.map(|url| capped(URL_FULL, &url)));
    attributes.extend(template.map(|template| KeyValue::new(URL_TEMPLATE, template)));
    attributes.extend(server.into_iter().flatten());
    let resent = request.extensions().get().and_then(Sends::count);
    attributes.extend(resent.map(|count| KeyValue::new(HTTP_REQUEST_RESEND_COUNT, count)));
    if body_sizes {
        attributes.extend(request_body_size(request.headers()));
    }
}

/// Address and port of the server, where the request tells them.
pub(super) fn server<B>(request: &Request<B>) -> Option<impl Iterator<Item = KeyValue> + use<B>> {
    let uri = request.uri();
    let authority = uri.authority().map(|a| a.as_str().as_bytes());
    let host = || request.headers().get(HOST).map(HeaderValue::as_bytes);
    let (host, port) = authority::read(authority.or_else(host)?)?;
    // Who sends a path alone knows the connection; its default port is not known here.
    let port = port.or_else(|| uri.scheme().map(|_| Scheme::of(uri).port));
    let port = port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port)));
    let address = KeyValue::new(SERVER_ADDRESS, host);
    Some([Some(address), port].into_iter().flatten())
}

/// The other end of the connection that a client used, where hyper-util's connector tells it.
#[cfg(feature = "hyper-util")]
pub(super) fn connection(extensions: &Extensions) -> Option<[KeyValue; 2]> {
    let info: &hyper_util::client::legacy::connect::HttpInfo = extensions.get()?;
    Some(crate::PeerAddr(info.remote_addr()).attributes())
}

#[cfg(not(feature = "hyper-util"))]
pub(super) const fn connection(_: &Extensions) -> Option<[KeyValue; 2]> {
    None
}
