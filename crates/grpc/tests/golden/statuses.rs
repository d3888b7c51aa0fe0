//! Every status by name, and which of them are errors on which side.

use crate::bench::{Bench, refuse};
use dynamo_trace_testkit::span_log::{ending, text};
use tonic::Code;

/// Number, name, and whether the status is an error to the server.
const CODES: [(i32, &str, bool); 17] = [
    (0, "OK", false),
    (1, "CANCELLED", false),
    (2, "UNKNOWN", true),
    (3, "INVALID_ARGUMENT", false),
    (4, "DEADLINE_EXCEEDED", true),
    (5, "NOT_FOUND", false),
    (6, "ALREADY_EXISTS", false),
    (7, "PERMISSION_DENIED", false),
    (8, "RESOURCE_EXHAUSTED", false),
    (9, "FAILED_PRECONDITION", false),
    (10, "ABORTED", false),
    (11, "OUT_OF_RANGE", false),
    (12, "UNIMPLEMENTED", true),
    (13, "INTERNAL", true),
    (14, "UNAVAILABLE", true),
    (15, "DATA_LOSS", true),
    (16, "UNAUTHENTICATED", false),
];

#[tokio::test]
async fn every_status_has_its_name_and_is_an_error_where_it_is_one() {
    let bench = Bench::start(refuse).await;
    for (calls, (number, name, server_error)) in CODES.into_iter().enumerate() {
        let reply = bench.call("test.Golden/Status", &number.to_string()).await;
        // Without a message there is no success either.
        assert!(reply.is_err());
        let [client, server] = bench.last_ended(calls + 1).await;
        for (span, is_error) in [(client, number != 0), (server, server_error)] {
            let code = text(&span, "rpc.response.status_code");
            assert_eq!(code.as_deref(), Some(name), "{:?}", span.span_kind);
            let expected = match is_error {
                true => format!("failed:{name}"),
                false => "complete".to_owned(),
            };
            assert_eq!(ending(&span), expected, "{name}: {:?}", span.span_kind);
        }
    }
}

#[tokio::test]
async fn what_is_no_code_is_unknown() {
    let bench = Bench::start(|_| {
        let mut response = http::Response::new(tonic::body::Body::empty());
        let headers = response.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("grpc-status", "17".parse().unwrap());
        Box::pin(std::future::ready(response))
    })
    .await;
    let reply = bench.call("test.Golden/NoCode", "").await;
    assert_eq!(reply.unwrap_err().code(), Code::Unknown);
    for span in bench.last_ended(1).await {
        assert_eq!(ending(&span), "failed:UNKNOWN");
    }
}
