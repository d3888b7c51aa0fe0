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

/// A query string with the values of secret keys replaced.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    let is_secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, _)| SECRET_KEYS.contains(&key))
    };
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let mut out = String::with_capacity(query.len());
    for (at, pair) in query.split('&').enumerate() {
        if at > 0 {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if is_secret(pair) => {
                out.push_str(key);
                out.push('=');
                out.push_str(REDACTED);
            }
            _ => out.push_str(pair),
        }
    }
    Cow::Owned(out)
}

/// A URL without userinfo and without secret query values. Fragments are not sent.
pub(crate) fn url(uri: &http::Uri) -> String {
    let mut out = String::new();
    if let Some(scheme) = uri.scheme_str() {
        out.push_str(scheme);
        out.push_str("://");
    }
    if let Some(authority) = uri.authority() {
        match authority.as_str().rsplit_once('@') {
            Some((_, host)) => {
                out.push_str("REDACTED:REDACTED@");
                out.push_str(host);
            }
            None => out.push_str(authority.as_str()),
        }
    }
    out.push_str(uri.path());
    if let Some(text) = uri.query() {
        out.push('?');
        out.push_str(&query(text));
    }
    out
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
    fn userinfo_is_replaced() {
        let uri = "https://me:pass@example.com:8443/p?Signature=x"
            .parse()
            .unwrap();
        let redacted = "https://REDACTED:REDACTED@example.com:8443/p?Signature=REDACTED";
        assert_eq!(url(&uri), redacted);
    }
}
