//! What must not stand on a span in clear.

use std::borrow::Cow;

/// Query keys whose values are credentials or signatures. They compare by case, as the semantic
/// conventions have them.
const SECRET_KEYS: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
];

const REDACTED: &str = "REDACTED";

/// A query string with the values of secret keys replaced. `&` separates its pairs. Some read `;`
/// so as well, and others as a part of the value: a key may stand behind it, and a secret goes on.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    let pairs = || query.split_inclusive('&');
    if !pairs().any(|pair| before_secret(pair).is_some()) {
        return Cow::Borrowed(query);
    }
    let mut out = String::with_capacity(query.len());
    for pair in pairs() {
        match before_secret(pair) {
            Some(before) => {
                out.push_str(before);
                out.push_str(REDACTED);
                out.extend(pair.ends_with('&').then_some('&'));
            }
            None => out.push_str(pair),
        }
    }
    Cow::Owned(out)
}

/// What stands before a secret value, to the `=`, as it is written.
fn before_secret(pair: &str) -> Option<&str> {
    let mut start = 0;
    for part in pair.split_inclusive(';') {
        if let Some((key, _)) = part.split_once('=')
            && SECRET_KEYS
                .into_iter()
                .any(|secret| decoded(key).eq(secret.bytes()))
        {
            return pair.get(..start + key.len() + 1);
        }
        start += part.len();
    }
    None
}

/// The bytes of a percent-encoded text; what is not well encoded stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        if let [b'%', high, low, behind @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = behind;
            return Some(high << 4 | low);
        }
        let (first, behind) = rest.split_first()?;
        rest = behind;
        Some(*first)
    })
}

/// The URL of a request, without userinfo and without secret query values; fragments are not
/// sent. `host` is the authority of a request that has none in its target. There is no URL
/// without an authority, and none in `CONNECT` and `OPTIONS *`.
pub(crate) fn url(uri: &http::Uri, host: Option<&str>) -> Option<String> {
    let (scheme, authority) = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => (scheme, authority.as_str()),
        (None, None) => ("http", host?),
        _ => return None,
    };
    if !uri.path().starts_with('/') {
        return None;
    }
    let mut out = format!("{scheme}://");
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            out.push_str("REDACTED:REDACTED@");
            out.push_str(host);
        }
        None => out.push_str(authority),
    }
    out.push_str(uri.path());
    if let Some(text) = uri.query() {
        out.push('?');
        out.push_str(&query(text));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_replaced_and_their_keys_kept() {
        assert_eq!(query("a=1&sig=x&b"), "a=1&sig=REDACTED&b");
        assert_eq!(query("SIG=x&a=sig"), "SIG=x&a=sig");
        for key in SECRET_KEYS {
            assert_eq!(query(&format!("{key}=s=t")), format!("{key}=REDACTED"));
        }
    }

    #[test]
    fn a_secret_key_is_known_however_it_is_written() {
        let encoded = "X-Amz%2DSignature=S&%73%69%67=S;%73ig=S&b=1";
        let expected = "X-Amz%2DSignature=REDACTED&%73%69%67=REDACTED&b=1";
        assert_eq!(query(encoded), expected);
        assert_eq!(query("a=1;sig=x;y&b=2"), "a=1;sig=REDACTED&b=2");
        assert_eq!(query("%=1&%zz=2&si%6=3"), "%=1&%zz=2&si%6=3");
    }

    #[test]
    fn a_url_has_an_authority() {
        let of = |uri: &str, host| url(&uri.parse().unwrap(), host);
        let made = Some("http://example.com:81/p?x=1".to_owned());
        assert_eq!(of("/p?x=1", Some("example.com:81")), made);
        for uri in ["/p?x=1", "example.com:443", "*"] {
            assert_eq!(of(uri, None), None, "{uri}");
        }
        assert_eq!(of("*", Some("example.com")), None);
    }

    #[test]
    fn userinfo_is_replaced() {
        let uri = "https://me:pass@example.com:8443/p?Signature=x"
            .parse()
            .unwrap();
        let redacted = "https://REDACTED:REDACTED@example.com:8443/p?Signature=REDACTED";
        assert_eq!(url(&uri, None).as_deref(), Some(redacted));
    }
}
