//! What the proxies in front say of a request: `Forwarded` (RFC 7239), else the `X-Forwarded-`
//! headers.

use super::scheme::Scheme;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use std::net::{IpAddr, SocketAddr};

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is believed of it.
#[derive(Debug, Default)]
pub(super) struct Forwarded<'h> {
    pub(super) client: Option<IpAddr>,
    pub(super) host: Option<&'h str>,
    scheme: Option<&'h str>,
}

impl<'h> Forwarded<'h> {
    /// Every proxy adds an element on the right: that of the outermost of one's own is the last
    /// one that the caller cannot have written.
    pub(super) fn read(headers: &'h HeaderMap, trusted_proxies: usize) -> Self {
        if trusted_proxies == 0 {
            return Self::default();
        }
        let elements = |text| split_unquoted(text, b',');
        if let Some(element) = nth_from_right(headers, &FORWARDED, elements, trusted_proxies) {
            let mut out = Self::default();
            let pairs = split_unquoted(element, b';');
            for (name, value) in pairs.filter_map(|pair| pair.split_once('=')) {
                let value = unquoted(value);
                match name.trim() {
                    name if name.eq_ignore_ascii_case("for") => out.client = address(value),
                    name if name.eq_ignore_ascii_case("host") => out.host = Some(value),
                    name if name.eq_ignore_ascii_case("proto") => out.scheme = Some(value),
                    _ => {}
                }
            }
            return out;
        }
        let elements = |text: &'h str| text.rsplit(',');
        let nth = |name| nth_from_right(headers, name, elements, trusted_proxies);
        Self {
            client: nth(&FOR).and_then(address),
            host: nth(&HOST),
            scheme: nth(&PROTO),
        }
    }

    /// The scheme that the caller used, else that of the request's target.
    pub(super) fn scheme(&self, target: &Uri) -> Scheme {
        let named = self.scheme.and_then(Scheme::named);
        named.unwrap_or_else(|| Scheme::of(target))
    }
}

/// The `n`-th element from the right over all values, or the left-most of fewer.
fn nth_from_right<'h, I: Iterator<Item = &'h str>>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    elements: impl Fn(&'h str) -> I,
    n: usize,
) -> Option<&'h str> {
    let values = headers.get_all(name).iter().rev();
    let elements = values.map(readable_end).flat_map(elements);
    let elements = elements.map(str::trim).filter(|text| !text.is_empty());
    elements.take(n).last()
}

/// What stands behind the last byte that is no text. Proxies add to what the caller wrote, so that
/// a value with such a byte still has their elements on the right; without it those of an earlier
/// value would count in their place.
fn readable_end(value: &HeaderValue) -> &str {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    let mut ends = value.as_bytes().rsplit(|byte| !is_text(byte));
    let end = ends.next().unwrap_or_default();
    std::str::from_utf8(end).unwrap_or_default()
}

/// The parts of a text, last one first. What stands in quotes is no separator: proxies quote the
/// host that they were asked for (RFC 7239, 4). It is read from the right, where one's own proxies
/// wrote; on the left may be a caller's quote without an end.
fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match last_unquoted(text.as_bytes(), separator) {
            Some(at) => {
                rest = text.get(..at);
                text.get(at + 1..)
            }
            None => rest.take(),
        }
    })
}

fn last_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut is_quoted = false;
    let mut behind = text;
    while let [rest @ .., last] = behind {
        match last {
            b'"' => {
                let escapes = rest.iter().rev().take_while(|byte| **byte == b'\\');
                if !is_quoted || escapes.count() % 2 == 0 {
                    is_quoted = !is_quoted;
                }
            }
            last if *last == wanted && !is_quoted => return Some(rest.len()),
            _ => {}
        }
        behind = rest;
    }
    None
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// An address with or without a port; an IPv6 address may stand in brackets. Identifiers that
/// hide it (RFC 7239, 6.3) are none.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']');
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
        .or_else(|| bare()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn client(pairs: &[(&'static str, &str)], trusted: usize) -> Option<String> {
        let headers = headers(pairs);
        let forwarded = Forwarded::read(&headers, trusted);
        forwarded.client.map(|ip| ip.to_string())
    }

    #[test]
    fn what_the_caller_may_have_written_is_not_believed() {
        let spoofed = [("x-forwarded-for", "6.6.6.6, 10.0.0.1")];
        assert_eq!(client(&spoofed, 0), None);
        assert_eq!(client(&spoofed, 1).as_deref(), Some("10.0.0.1"));
        assert_eq!(client(&spoofed, 2).as_deref(), Some("6.6.6.6"));
        assert_eq!(client(&spoofed, 9).as_deref(), Some("6.6.6.6"));
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
        ];
        assert_eq!(client(&lines, 1).as_deref(), Some("2.2.2.2"));
        assert_eq!(client(&lines, 2).as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn forwarded_comes_first() {
        let both = headers(&[
            ("forwarded", "for=1.1.1.1;host=outer"),
            (
                "forwarded",
                "For=\"[2001:db8::1]:4711\";Host=\"api.example:8443\"; proto=HTTPS",
            ),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-host", "other"),
        ]);
        let forwarded = Forwarded::read(&both, 1);
        assert_eq!(forwarded.client, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(forwarded.host, Some("api.example:8443"));
        assert_eq!(forwarded.scheme(&Uri::from_static("/")).port, 443);
    }

    #[test]
    fn what_is_no_text_hides_no_proxy() {
        let mut headers = headers(&[("x-forwarded-for", "6.6.6.6")]);
        let spoiled = HeaderValue::from_bytes(b"\xff, 2.2.2.2, 1.1.1.1").unwrap();
        headers.append("x-forwarded-for", spoiled);
        for (trusted, expected) in [(1, "1.1.1.1"), (2, "2.2.2.2")] {
            let forwarded = Forwarded::read(&headers, trusted);
            assert_eq!(forwarded.client, Some(expected.parse().unwrap()));
        }
        let spoiled = HeaderValue::from_bytes(b"for=6.6.6.6;by=\"\xff\", for=1.1.1.1").unwrap();
        headers.append("forwarded", spoiled);
        let forwarded = Forwarded::read(&headers, 1);
        assert_eq!(forwarded.client, Some([1, 1, 1, 1].into()));
    }

    #[test]
    fn an_address_has_many_forms() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("unknown", None),
            ("_hidden", None),
            ("1.2.3.4.5", None),
        ] {
            let found = client(&[("x-forwarded-for", text)], 1);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
