use super::*;

fn first<const N: usize>(variables: [(&'static str, &'static str); N]) -> Result<Target, String> {
    targets(&Environment::of(variables), FromCode::default())
        .map(|targets| targets.into_iter().next().expect("a target"))
        .map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_specification() {
    let target = first([]).unwrap();
    assert_eq!(target.protocol, Protocol::HttpProtobuf);
    assert_eq!(target.endpoint, "http://localhost:4318/v1/traces");
    assert_eq!(target.timeout, Duration::from_secs(10));
    assert!(!target.gzip && target.headers.is_empty());
    assert_eq!(
        first([(PROTOCOL[1], "grpc")]).unwrap().endpoint,
        "http://localhost:4317"
    );
}

#[test]
fn a_variable_for_traces_goes_first() {
    let target = first([
        (PROTOCOL[0], "GRPC"),
        (PROTOCOL[1], "http/protobuf"),
        (TRACES_ENDPOINT, "http://traces:1"),
        (ENDPOINT, "http://all:1"),
        (TIMEOUT[0], "250"),
        (TIMEOUT[1], "nonsense"),
        (COMPRESSION[0], "Gzip"),
        (HEADERS[0], "a=1"),
        (HEADERS[1], "b=2"),
    ])
    .unwrap();
    assert_eq!(target.protocol, Protocol::Grpc);
    assert_eq!(target.endpoint, "http://traces:1");
    assert_eq!(target.timeout, Duration::from_millis(250));
    assert!(target.gzip);
    assert_eq!(target.headers.len(), 1);
    assert_eq!(target.headers[0].0, "a");
    assert_eq!(target.stray_headers, ["a", "b"]);
}

#[test]
fn an_empty_variable_for_traces_gives_way() {
    let target = first([
        (PROTOCOL[0], ""),
        (PROTOCOL[1], "grpc"),
        (TRACES_ENDPOINT, ""),
        (ENDPOINT, "http://all:1"),
        (HEADERS[0], ""),
        (HEADERS[1], "b=2"),
    ])
    .unwrap();
    assert_eq!(
        (target.protocol, target.endpoint.as_str()),
        (Protocol::Grpc, "http://all:1")
    );
    assert_eq!(target.headers[0].0, "b");
}

#[test]
fn code_goes_before_the_environment() {
    let code = FromCode {
        protocol: Some(Protocol::Grpc),
        endpoint: Some("http://code:1".into()),
        more_endpoints: vec!["http://more:1".into()],
    };
    let environment = Environment::of([
        (PROTOCOL[0], "nonsense"),
        (ENDPOINT, "nonsense"),
        (HEADERS[1], "authorization=secret"),
    ]);
    let targets = targets(&environment, code).unwrap();
    let endpoints: Vec<_> = targets
        .iter()
        .map(|target| target.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["http://code:1", "http://more:1"]);
    assert_eq!(targets[0].headers.len(), 1);
    assert!(
        targets[1].headers.is_empty(),
        "credentials are for the first endpoint"
    );
    assert_eq!(targets[1].stray_headers, ["authorization"]);
}

#[test]
fn no_timeout_is_a_long_one() {
    assert!(first([(TIMEOUT[1], "0")]).unwrap().timeout >= Duration::from_secs(3_600));
}

#[test]
fn what_is_wrong_is_named() {
    for (variable, value, expected) in [
        (
            PROTOCOL[0],
            "http/json",
            "is `http/json`: allowed: `grpc`, `http/protobuf`",
        ),
        (
            PROTOCOL[1],
            "thrift",
            "is `thrift`: allowed: `grpc`, `http/protobuf`",
        ),
        (
            ENDPOINT,
            "localhost",
            "is `localhost`: must be a URL like http://localhost:4318",
        ),
        (
            TRACES_ENDPOINT,
            "::",
            "is `::`: must be a URL like http://localhost:4318",
        ),
        (
            TIMEOUT[0],
            "10s",
            "is `10s`: must be a whole number from 0 on",
        ),
        (COMPRESSION[1], "zstd", "is `zstd`: allowed: `none`, `gzip`"),
        (
            HEADERS[0],
            "a=1,secret",
            "is `***`: member 2 is not `name=value`, percent-encoded",
        ),
        (
            HEADERS[1],
            "a b=1",
            "is `***`: member 1 is not `name=value`, percent-encoded",
        ),
    ] {
        assert_eq!(
            first([(variable, value)]).unwrap_err(),
            format!("{variable} {expected}")
        );
    }
}
