//! What fails fails as with etcd-client alone, and is on spans once, with its code.

use crate::bench::{Bench, attribute, companion};
use dynamo_trace_etcd::attributes::DB_RESPONSE_STATUS_CODE;
use dynamo_trace_etcd::{Client, Error};
use dynamo_trace_grpc::status;
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{AlarmAction, AlarmType, Txn, TxnOp};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use tonic::Code;

/// The code and the text of a call that failed.
fn failure<R>(result: Result<R, Error>) -> (Code, String) {
    match result {
        Err(Error::GRpcStatus(status)) => (status.code(), status.message().to_owned()),
        Err(other) => panic!("no status: {other}"),
        Ok(_) => panic!("it went well"),
    }
}

/// That each span says what became of its call, in the order of the calls.
fn assert_outcomes(spans: &[SpanData], expected: &[Option<Code>]) {
    let codes: Vec<_> = spans.iter().map(code).collect();
    let expected: Vec<_> = expected.iter().map(|code| code.map(status::name)).collect();
    assert_eq!(codes, expected);
    for span in spans {
        let failed = code(span).is_some();
        assert_eq!(span.status == Status::error(""), failed, "{span:#?}");
        assert_eq!(attribute(span, "error.type").is_some(), failed, "{span:#?}");
    }
}

fn code(span: &SpanData) -> Option<&'static str> {
    let code = attribute(span, DB_RESPONSE_STATUS_CODE)?;
    let codes = (0..=16).map(|code| status::name(Code::from_i32(code)));
    codes.into_iter().find(|name| *name == code)
}

#[tokio::test]
async fn an_endpoint_that_is_down_and_comes_back() {
    let mut bench = Bench::start().await;
    let mut plain = bench.plain.clone();
    bench.etcd.put("k", "1", None).await.unwrap();
    plain.get("k", None).await.unwrap();
    bench.server.process().kill();
    until_noticed(&bench.etcd, &mut plain).await;
    bench.forget_spans();
    let traced_put = failure(bench.etcd.put("k", "2", None).await);
    let plain_put = failure(plain.put("k", "2", None).await);
    assert_eq!(traced_put, plain_put);
    let traced_get = failure(bench.etcd.get("k", None).await);
    let plain_get = failure(plain.get("k", None).await);
    assert_eq!(traced_get, plain_get);
    assert_eq!(
        (traced_put.0, traced_get.0),
        (Code::Unavailable, Code::Unavailable)
    );
    assert_outcomes(&bench.spans(), &[Some(Code::Unavailable); 2]);
    for span in bench.spans() {
        let why = attribute(&span, "error.type");
        assert_eq!(why.as_deref(), Some("connection_refused"));
    }
    assert_eq!(bench.etcd.companions_left_out(), 0);

    bench.server.restart().await.unwrap();
    while bench.etcd.get("k", None).await.is_err() {}
    bench.forget_spans();
    bench.etcd.put("k", "3", None).await.unwrap();
    assert_outcomes(&bench.spans(), &[None]);
    let revision = |stored: Vec<(String, String, i64, i64)>| stored[0].3;
    let (own, beside) = (bench.stored("k").await, bench.stored(&companion("k")).await);
    assert_eq!(revision(own), revision(beside));
}

/// The first call on a connection that broke may say so in other words.
async fn until_noticed(etcd: &Client, plain: &mut etcd_client::Client) {
    while failure(etcd.get("k", None).await).0 != Code::Unavailable {}
    while failure(plain.get("k", None).await).0 != Code::Unavailable {}
}

#[tokio::test]
async fn a_server_out_of_space() {
    // Two pages of a database that has more from the start.
    let quota = ["--quota-backend-bytes", "16384"];
    let server = EtcdServer::start_with(&quota).await.unwrap();
    let bench = Bench::on(server, |builder| builder).await;
    let mut plain = bench.plain.clone();
    // The first write raises the alarm; the others are refused for it.
    let mut first = bench.etcd.put("k", "v", None).await;
    while first.is_ok() {
        first = bench.etcd.put("k", "v".repeat(1000), None).await;
    }
    assert_eq!(failure(first).0, Code::ResourceExhausted);
    bench.forget_spans();
    let traced = failure(bench.etcd.put("k", "v", None).await);
    assert_eq!(traced, failure(plain.put("k", "v", None).await));
    assert_eq!(traced.0, Code::ResourceExhausted);
    let txn = Txn::new().and_then([TxnOp::put("k", "v", None)]);
    let traced = failure(bench.etcd.txn(txn.clone()).await);
    assert_eq!(traced, failure(plain.txn(txn).await));
    // What frees space is let through, companions and all.
    bench.etcd.delete("k", None).await.unwrap();
    assert!(!bench.has(&companion("k")).await);
    let full = Some(Code::ResourceExhausted);
    assert_outcomes(&bench.spans(), &[full, full, None]);
    let alarms = bench
        .etcd
        .alarm(AlarmAction::Get, AlarmType::Nospace, None)
        .await
        .unwrap();
    assert_eq!(alarms.alarms().len(), 1);
    assert_eq!(bench.etcd.companions_left_out(), 0);
}
