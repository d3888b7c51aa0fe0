//! Endpoint URLs, checked at start: an exporter that is given a wrong one fails silently later.

use http::Uri;

use super::otlp::Protocol;
use crate::InitError;

/// What becomes of the path of an OTLP/HTTP endpoint. OTLP/gRPC has its own paths.
#[derive(Clone, Copy)]
pub(super) enum Path {
    /// `v1/traces` is appended (a URL for all signals).
    Append,
    /// The URL is used as it is (a URL for traces).
    AsGiven,
    /// `/v1/traces` is the path of a URL that has none.
    IfNone,
}

/// The URL that the exporter shall use for `url`, the value of `setting`.
///
/// A gRPC endpoint without a scheme is a secure one unless it is said to be `insecure`.
pub(super) fn resolve(
    setting: &'static str,
    url: &str,
    protocol: Protocol,
    path: Path,
    insecure: bool,
) -> Result<String, InitError> {
    let invalid = |expected| Err(InitError::invalid(setting, redacted(url), expected));
    let schemeless = protocol == Protocol::Grpc && !url.contains("://");
    let with_scheme = match (schemeless, insecure) {
        (true, true) => format!("http://{url}"),
        (true, false) => format!("https://{url}"),
        (false, _) => url.to_owned(),
    };
    let Some(uri) = parse(&with_scheme) else {
        return invalid(match protocol {
            Protocol::Grpc => "must be a URL like http://localhost:4317",
            Protocol::HttpProtobuf => "must be a URL like http://localhost:4318",
        });
    };
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return invalid(
            "credentials in a URL are not sent; put them into OTEL_EXPORTER_OTLP_HEADERS, like \
             authorization=Basic%20..",
        );
    }
    if url.contains('#') || (protocol == Protocol::Grpc && uri.query().is_some()) {
        return invalid("must have no fragment, and for gRPC no query");
    }
    if uri.scheme_str() == Some("https") && !cfg!(feature = "tls") {
        return invalid(if schemeless {
            "without a scheme it is https, which needs the feature `tls` of dynamo-trace-sdk; put \
             http:// in front, or set OTEL_EXPORTER_OTLP_INSECURE to true"
        } else {
            "https needs the feature `tls` of dynamo-trace-sdk"
        });
    }
    Ok(match (protocol, path) {
        (Protocol::Grpc, _) | (_, Path::AsGiven) => with_scheme,
        (Protocol::HttpProtobuf, Path::IfNone) if !matches!(uri.path(), "" | "/") => with_scheme,
        (Protocol::HttpProtobuf, Path::IfNone | Path::Append) => append(&with_scheme, "/v1/traces"),
    })
}

/// A URL with a scheme that OTLP knows, a host, and a port that is one.
fn parse(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let port_follows = authority.as_str().rsplit(['@', ']']).next()?.contains(':');
    let usable = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && (!port_follows || authority.port_u16().is_some());
    usable.then_some(uri)
}

/// `url` with `path` at the end of its own, in front of its query.
fn append(url: &str, path: &str) -> String {
    let (base, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    format!("{}{path}{query}", base.trim_end_matches('/'))
}

/// `url` as it may be shown: without what stands in front of the last `@`, which in a malformed
/// URL may be a password whatever it looks like, and without the query.
pub(super) fn redacted(url: &str) -> String {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| url.starts_with(scheme))
        .unwrap_or_default();
    let rest = url.get(scheme.len()..).unwrap_or_default();
    let query_at = |text: &str| text.find(['?', '#']);
    let (hidden, shown) = match rest.rsplit_once('@') {
        // The `@` may be part of the query, and all that follows it too.
        Some((before, _)) if query_at(before).is_some() => return format!("{scheme}REDACTED"),
        Some((_, after)) => ("REDACTED@", after),
        None => ("", rest),
    };
    match query_at(shown).and_then(|at| shown.get(..at)) {
        Some(shown) => format!("{scheme}{hidden}{shown}?REDACTED"),
        None => format!("{scheme}{hidden}{shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protocol::{Grpc, HttpProtobuf};

    fn resolved(url: &str, protocol: Protocol, path: Path) -> Result<String, String> {
        resolve("SETTING", url, protocol, path, true).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_follow_the_specification() {
        for (url, path, expected) in [
            ("http://a:1", Path::Append, "http://a:1/v1/traces"),
            ("http://a:1/", Path::Append, "http://a:1/v1/traces"),
            ("http://a:1/otlp", Path::Append, "http://a:1/otlp/v1/traces"),
            (
                "http://a:1/otlp/",
                Path::Append,
                "http://a:1/otlp/v1/traces",
            ),
            ("http://a:1", Path::AsGiven, "http://a:1"),
            ("http://a:1/x", Path::AsGiven, "http://a:1/x"),
            ("http://a:1", Path::IfNone, "http://a:1/v1/traces"),
            ("http://a:1/x", Path::IfNone, "http://a:1/x"),
            (
                "http://[::1]:4318",
                Path::Append,
                "http://[::1]:4318/v1/traces",
            ),
            ("http://[::1]", Path::Append, "http://[::1]/v1/traces"),
        ] {
            assert_eq!(resolved(url, HttpProtobuf, path).as_deref(), Ok(expected));
        }
        assert_eq!(
            resolved("http://a:4317", Grpc, Path::Append).as_deref(),
            Ok("http://a:4317")
        );
        assert_eq!(
            resolved("a:4317", Grpc, Path::Append).as_deref(),
            Ok("http://a:4317")
        );
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "localhost:4318",
            "/v1/traces",
            "ftp://a",
            "http://",
            "http://a:99999",
            "http://a b",
            "unix:///x",
        ] {
            let message = resolved(url, HttpProtobuf, Path::Append).unwrap_err();
            assert_eq!(
                message,
                format!("SETTING is `{url}`: must be a URL like http://localhost:4318")
            );
        }
        assert!(resolved("http://[bad", Grpc, Path::Append).is_err());
    }

    #[test]
    fn secrets_stay_out_of_messages() {
        for (url, shown) in [
            (
                "http://user:secret@host:99999/p",
                "http://REDACTED@host:99999/p",
            ),
            ("http://user:secret@host:99999/p@th", "http://REDACTED@th"),
            (
                "http://user:p/secret@host:4318",
                "http://REDACTED@host:4318",
            ),
            ("http://user:p?secret@host:4318", "http://REDACTED"),
            ("http:/user:secret@host:4318", "REDACTED@host:4318"),
            ("user:secret@host:4318", "REDACTED@host:4318"),
            (
                "http://host:99999/p?token=secret",
                "http://host:99999/p?REDACTED",
            ),
            ("http://host:99999/p#secret", "http://host:99999/p?REDACTED"),
            ("http://host:99999/p?a@b=secret", "http://REDACTED"),
        ] {
            let message = resolved(url, HttpProtobuf, Path::Append).unwrap_err();
            let start = format!("SETTING is `{shown}`: ");
            assert!(message.starts_with(&start), "{url}: {message}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused() {
        for protocol in [HttpProtobuf, Grpc] {
            let message = resolved("http://user:secret@host:1", protocol, Path::AsGiven);
            let message = message.unwrap_err();
            assert!(message.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_query_stays_behind_the_path() {
        for (url, path, expected) in [
            ("http://a:1?k=v", Path::Append, "http://a:1/v1/traces?k=v"),
            (
                "http://a:1/?k=v/",
                Path::IfNone,
                "http://a:1/v1/traces?k=v/",
            ),
            (
                "http://a:1/x/?k=v",
                Path::Append,
                "http://a:1/x/v1/traces?k=v",
            ),
            ("http://a:1/x?k=v", Path::AsGiven, "http://a:1/x?k=v"),
        ] {
            assert_eq!(resolved(url, HttpProtobuf, path).as_deref(), Ok(expected));
        }
        for (url, protocol) in [
            ("http://a:1/#x", HttpProtobuf),
            ("http://a:1#x", Grpc),
            ("http://a:1?k=v", Grpc),
        ] {
            let message = resolved(url, protocol, Path::Append).unwrap_err();
            assert!(message.contains("must have no fragment"), "{message}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn https_without_the_feature_is_refused() {
        let message = resolved("https://a", HttpProtobuf, Path::Append).unwrap_err();
        assert_eq!(
            message,
            "SETTING is `https://a`: https needs the feature `tls` of dynamo-trace-sdk"
        );
        let secure = resolve("SETTING", "a:4317", Grpc, Path::Append, false);
        let message = secure.unwrap_err().to_string();
        for hint in ["`tls`", "http://", "OTEL_EXPORTER_OTLP_INSECURE"] {
            assert!(message.contains(hint), "{message}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_grpc_endpoint_without_a_scheme_is_secure() {
        let secure = resolve("SETTING", "a:4317", Grpc, Path::Append, false);
        assert_eq!(secure.unwrap(), "https://a:4317");
    }
}
