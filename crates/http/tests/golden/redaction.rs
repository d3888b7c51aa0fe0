//! Credentials in URLs.

use crate::shown::of;
use crate::{call, get, serve, status};

const KEYS: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
];

/// `url.query` of a server and that of the `url.full` of a client.
async fn queries(query: &str) -> [String; 2] {
    let uri = format!("http://example.com/p?{query}");
    let server = serve(|layer| layer, get(&uri), status(200)).await;
    let client = call(|layer| layer, get(&uri), status(200)).await;
    let [server, client] = [of(&server, "url.query"), of(&client, "url.full")];
    let server = server.strip_prefix("url.query = ").unwrap().trim();
    let client = client
        .strip_prefix("url.full = \"http://example.com/p?")
        .unwrap();
    [
        server.trim_matches('"').to_owned(),
        client.trim().trim_matches('"').to_owned(),
    ]
}

#[tokio::test]
async fn each_secret_key_keeps_its_key() {
    for key in KEYS {
        for (query, expected) in [
            (format!("{key}=secret"), format!("{key}=REDACTED")),
            (
                format!("a=1&{key}=secret&b=2"),
                format!("a=1&{key}=REDACTED&b=2"),
            ),
            (
                format!("{key}=s=e=c&{key}=ret"),
                format!("{key}=REDACTED&{key}=REDACTED"),
            ),
            (format!("{key}="), format!("{key}=REDACTED")),
            (format!("{key}&a={key}"), format!("{key}&a={key}")),
        ] {
            assert_eq!(queries(&query).await, [&*expected, &*expected]);
        }
    }
}

#[tokio::test]
async fn a_semicolon_is_read_both_ways() {
    for (query, expected) in [
        ("a=1;sig=secret&b=2", "a=1;sig=REDACTED&b=2"),
        ("sig=sec;ret", "sig=REDACTED"),
        ("a=b;c&sig=sec;ret=;&d=e;f", "a=b;c&sig=REDACTED&d=e;f"),
        ("a=1;b=2;sig=x;Signature=y", "a=1;b=2;sig=REDACTED"),
    ] {
        assert_eq!(queries(query).await, [expected, expected]);
    }
}

#[tokio::test]
async fn keys_compare_by_case_and_other_values_stay() {
    for query in [
        "SIG=1",
        "x-amz-signature=1",
        "signature=1",
        "a=sig",
        "sigs=1&xsig=1",
        "q",
    ] {
        assert_eq!(queries(query).await, [query, query]);
    }
}

#[tokio::test]
async fn userinfo_is_replaced() {
    for userinfo in ["me:secret", "me", ":secret", "me%40x:sec%2Fret", "a:b:c"] {
        let uri = format!("https://{userinfo}@example.com:8443/p");
        let span = call(|layer| layer, get(&uri), status(200)).await;
        let full = "url.full = \"https://REDACTED:REDACTED@example.com:8443/p\"\n";
        assert_eq!(of(&span, "url.full"), full);
        let span = serve(|layer| layer, get(&uri), status(200)).await;
        let expected = "url.path = \"/p\"\nurl.scheme = \"https\"\n";
        assert_eq!(of(&span, "url."), expected);
        assert_eq!(
            of(&span, "server.address"),
            "server.address = \"example.com\"\n"
        );
    }
}

#[tokio::test]
async fn a_target_without_an_authority_is_no_url() {
    for (method, uri) in [
        ("GET", "/p?a=b"),
        ("CONNECT", "example.com:443"),
        ("OPTIONS", "*"),
    ] {
        let mut request = get(uri);
        *request.method_mut() = method.parse().unwrap();
        let span = call(|layer| layer, request, status(200)).await;
        assert_eq!(of(&span, "url."), "", "{method} {uri}");
    }
}
