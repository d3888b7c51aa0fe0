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
    let invalid = |expected| {
        Err(InitError::invalid(
            setting,
            without_credentials(url),
            expected,
        ))
    };
    let with_scheme = match protocol {
        Protocol::Grpc if !url.contains("://") => {
            format!("{}://{url}", if insecure { "http" } else { "https" })
        }
        Protocol::Grpc | Protocol::HttpProtobuf => url.to_owned(),
    };
    let Some(uri) = parse(&with_scheme) else {
        return invalid("must be a URL like http://localhost:4318");
    };
    if uri.scheme_str() == Some("https") && !cfg!(feature = "tls") {
        return invalid("https needs the feature `tls` of dynamo-trace-sdk");
    }
    let path = match (protocol, path) {
        (Protocol::Grpc, _) | (_, Path::AsGiven) => "",
        (Protocol::HttpProtobuf, Path::IfNone) if !matches!(uri.path(), "" | "/") => "",
        (Protocol::HttpProtobuf, Path::IfNone | Path::Append) => "/v1/traces",
    };
    let base = if path.is_empty() {
        with_scheme.as_str()
    } else {
        with_scheme.trim_end_matches('/')
    };
    Ok(format!("{base}{path}"))
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

fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let Some((_, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}REDACTED@{host}{path}")
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
    fn credentials_stay_out_of_messages() {
        let message = resolved(
            "http://user:secret@host:99999/p@th",
            HttpProtobuf,
            Path::Append,
        )
        .unwrap_err();
        assert!(
            message.starts_with("SETTING is `http://REDACTED@host:99999/p@th`"),
            "{message}"
        );
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
        assert!(secure.unwrap_err().to_string().contains("`tls`"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_grpc_endpoint_without_a_scheme_is_secure() {
        let secure = resolve("SETTING", "a:4317", Grpc, Path::Append, false);
        assert_eq!(secure.unwrap(), "https://a:4317");
    }
}
