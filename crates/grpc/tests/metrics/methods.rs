//! Callers of a server choose no attribute: else they could make as many series as they like.

use crate::Bench;
use dynamo_trace_testkit::span_log::SpanLog;
use std::convert::Infallible;
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

const SERVER: &str = "rpc.server.call.duration s";

async fn measured(methods: &[&str], code: Code) -> Vec<String> {
    let bench = Bench::new(&SpanLog::default().provider());
    for method in methods {
        bench.call(method, code).await;
    }
    let texts = bench.meter.texts().into_iter();
    texts.filter(|text| text.starts_with(SERVER)).collect()
}

#[tokio::test]
async fn unknown_methods_are_one() {
    let long = "s".repeat(300);
    let methods = ["test.Unknown/A", "test.Unknown/B", &format!("{long}/Unary")];
    let texts = measured(&methods, Code::Unimplemented).await;
    assert_eq!(
        texts,
        [format!(
            "{SERVER} dynamo_trace.ending=failed error.type=UNIMPLEMENTED rpc.method=_OTHER \
             rpc.response.status_code=UNIMPLEMENTED rpc.system.name=grpc"
        )]
    );
}

#[tokio::test]
async fn what_answers_anything_and_is_no_grpc_confirms_no_method() {
    let bench = Bench::new(&SpanLog::default().provider());
    let page = service_fn(async |_: http::Request<Body>| {
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    });
    for user in 0..3 {
        let request = http::Request::post(format!("http://backend/users/{user}"))
            .header("content-type", "application/grpc")
            .body(Body::empty());
        let service = bench.server.clone().layer(page);
        service.oneshot(request.unwrap()).await.unwrap();
    }
    let failed = "dynamo_trace.ending=failed error.type=UNKNOWN";
    let status = "rpc.response.status_code=UNKNOWN rpc.system.name=grpc";
    assert_eq!(bench.meter.texts(), [format!("{SERVER} {failed} {status}")]);
}

#[tokio::test]
async fn a_refused_call_tells_of_no_method() {
    let methods = ["test.Refused/A", "test.Refused/B", "test.Refused/C"];
    for _ in 0..2 {
        let texts = measured(&methods, Code::Unauthenticated).await;
        let status = "rpc.response.status_code=UNAUTHENTICATED rpc.system.name=grpc";
        assert_eq!(texts, [format!("{SERVER} {status}")]);
    }
    // Once somebody has answered to it, it is known, refused or not.
    measured(&["test.Refused/B"], Code::Ok).await;
    let texts = measured(&methods, Code::Unauthenticated).await;
    assert_eq!(texts.len(), 2, "{texts:#?}");
    let known = texts.iter().find(|text| text.contains("rpc.method"));
    assert!(known.unwrap().contains("rpc.method=test.Refused/B"));
}
