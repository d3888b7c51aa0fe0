//! `url.scheme` and `network.protocol.version`.

use crate::shown::of;
use crate::{call, get, serve, status};

#[tokio::test]
async fn the_scheme_is_that_of_the_target_or_http() {
    for (uri, scheme) in [
        ("/", "http"),
        ("http://example.com/", "http"),
        ("https://example.com/", "https"),
        // Of few values.
        ("custom://example.com/", "http"),
    ] {
        let span = serve(|layer| layer, get(uri), status(200)).await;
        let expected = format!("url.scheme = {scheme:?}\n");
        assert_eq!(of(&span, "url.scheme"), expected, "{uri}");
    }
}

#[tokio::test]
async fn the_version_is_that_of_the_protocol() {
    use http::Version;
    for (version, expected) in [
        (Version::HTTP_09, "0.9"),
        (Version::HTTP_10, "1.0"),
        (Version::HTTP_11, "1.1"),
        (Version::HTTP_2, "2"),
        (Version::HTTP_3, "3"),
    ] {
        let mut request = get("/");
        *request.version_mut() = version;
        // A client knows the version of the response.
        let mut response = status(200);
        *response.version_mut() = version;
        let expected = format!("network.protocol.version = {expected:?}\n");
        let span = serve(|layer| layer, request, status(200)).await;
        assert_eq!(of(&span, "network"), expected);
        let span = call(|layer| layer, get("/"), response).await;
        assert_eq!(of(&span, "network"), expected);
    }
}
