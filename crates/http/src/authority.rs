//! Who is asked: a host and a port.

use crate::attributes::{MAX_LEN, cut};
use dynamo_trace_core::span::{Interned, Recent};
use opentelemetry::StringValue;

/// How many of them are kept, and of how many bytes at most.
const MOST: usize = 1024;
const MAX_KEPT: usize = 256;

static AUTHORITIES: Interned<Option<(&'static str, Option<u16>)>> = Interned::new(MOST, MAX_KEPT);

thread_local! {
    static RECENT: Recent<Option<(&'static str, Option<u16>)>> = const { Recent::new() };
}

/// Host, an IPv6 address without its brackets, and port of an authority or a `Host` header.
#[must_use]
pub fn read(authority: &[u8]) -> Option<(StringValue, Option<u16>)> {
    match RECENT.with(|recent| AUTHORITIES.find(recent, authority, split)) {
        Some(known) => known.map(|(host, port)| (host.into(), port)),
        None => {
            let (host, port) = split(authority)?;
            Some((cut(host, MAX_LEN).to_owned().into(), port))
        }
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
    // The first part of an IPv6 address without brackets is no host.
    let is_one = port.is_none_or(|port| !port.contains(&b':'));
    let valid = is_one && !host.is_empty() && host.iter().all(|byte| is_host(*byte));
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
