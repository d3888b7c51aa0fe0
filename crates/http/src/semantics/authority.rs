use crate::attributes::{MAX_LEN, cut};
use dynamo_trace_core::span::Recent;
use http::Uri;
use opentelemetry::StringValue;
use std::sync::Arc;

/// A scheme, and the port that it means where none is given.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) port: u16,
}

impl Scheme {
    pub(super) const HTTP: Self = Self {
        name: "http",
        port: 80,
    };
    pub(super) const HTTPS: Self = Self {
        name: "https",
        port: 443,
    };

    pub(super) fn of(uri: &Uri) -> Self {
        match uri.scheme_str() {
            Some("https") => Self::HTTPS,
            _ => Self::HTTP,
        }
    }

    /// The scheme of this name, which compares in any case: RFC 9110, 4.2.3.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::HTTP, Self::HTTPS]
            .into_iter()
            .find(|scheme| scheme.name.eq_ignore_ascii_case(name))
    }
}

/// Host, an IPv6 address without its brackets, and port of an authority or a `Host` header.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) host: StringValue,
    pub(super) port: Option<u16>,
}

thread_local! {
    static RECENT: Recent<Option<Authority>> = const { Recent::new() };
}

impl Authority {
    pub(super) fn read(authority: &[u8]) -> Option<Self> {
        let make = || {
            let (host, port) = split(authority)?;
            let host = StringValue::from(Arc::from(cut(host, MAX_LEN)));
            Some(Self { host, port })
        };
        let recent = RECENT.try_with(|recent| recent.get_or_make(authority, make));
        // The thread is going down.
        recent.unwrap_or_else(|_| make())
    }
}

fn split(authority: &[u8]) -> Option<(&str, Option<u16>)> {
    let user_end = authority.iter().rposition(|byte| *byte == b'@');
    let host_port = match user_end {
        Some(at) => authority.get(at + 1..)?,
        None => authority,
    };
    let (host, port) = match host_port.strip_prefix(b"[") {
        Some(bracketed) => {
            let end = bracketed.iter().position(|byte| *byte == b']')?;
            let (address, rest) = bracketed.split_at_checked(end)?;
            (address, rest.strip_prefix(b"]:"))
        }
        None => match host_port.iter().position(|byte| *byte == b':') {
            Some(end) => (host_port.get(..end)?, host_port.get(end + 1..)),
            None => (host_port, None),
        },
    };
    let valid = !host.is_empty() && host.iter().all(|byte| is_host(*byte));
    let host = std::str::from_utf8(host).ok().filter(|_| valid)?;
    Some((host, port.and_then(parse_port)))
}

/// What RFC 3986, 3.2.2 lets stand in a host.
const fn is_host(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b':' | b'%'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    // `parse` would take a sign.
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}
