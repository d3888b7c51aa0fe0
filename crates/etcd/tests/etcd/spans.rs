//! The spans of RPCs.

use crate::bench::{Bench, attribute, within};
use crate::tap::Tap;
use dynamo_trace_etcd::attributes::{
    DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME,
    SERVER_ADDRESS, SERVER_PORT,
};
use dynamo_trace_etcd::{Client, Error};
use etcd_client::{ConnectOptions, PutOptions, Txn, TxnOp, WatchOptions};
use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use std::time::Duration;

#[tokio::test]
async fn every_rpc_is_one_span_in_the_callers_trace() {
    let bench = Bench::start().await;
    let span = bench.provider.tracer("caller").start("caller");
    let caller = Context::new().with_span(span);
    let etcd = &bench.etcd;
    within(caller.clone(), async {
        etcd.put("k", "v", None).await.unwrap();
        etcd.get("k", None).await.unwrap();
        etcd.delete("k", None).await.unwrap();
        let lease = etcd.lease_grant(600, None).await.unwrap();
        etcd.lease_revoke(lease.id()).await.unwrap();
        etcd.maintenance_client().status().await.unwrap();
        etcd.cluster_client().member_list().await.unwrap();
        let locked = etcd.lock_client().lock("l", None).await.unwrap();
        etcd.lock_client().unlock(locked.key()).await.unwrap();
    })
    .await;
    let spans = bench.spans();
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    let methods = [
        "Put",
        "Range",
        "DeleteRange",
        "LeaseGrant",
        "LeaseRevoke",
        "Status",
        "MemberList",
        "Lock",
        "Unlock",
    ];
    assert_eq!(names, methods);
    let (host, port) = bench.server.endpoint().rsplit_once(':').map(own).unwrap();
    for span in spans {
        assert_eq!(span.span_kind, SpanKind::Client);
        assert_eq!(span.parent_span_id, caller.span().span_context().span_id());
        assert_eq!(span.status, Status::Unset);
        assert_eq!(span.instrumentation_scope.name(), "dynamo-trace-etcd");
        let mut attributes: Vec<_> = span.attributes.iter().map(|kv| kv.key.as_str()).collect();
        attributes.sort_unstable();
        let expected = [
            DB_OPERATION_NAME,
            DB_SYSTEM_NAME,
            SERVER_ADDRESS,
            SERVER_PORT,
        ];
        assert_eq!(attributes, expected);
        assert_eq!(attribute(&span, DB_SYSTEM_NAME).unwrap(), "etcd");
        assert_eq!(attribute(&span, DB_OPERATION_NAME).unwrap(), span.name);
        assert_eq!(attribute(&span, SERVER_ADDRESS).unwrap(), host);
        assert_eq!(attribute(&span, SERVER_PORT).unwrap(), port);
    }
}

fn own((host, port): (&str, &str)) -> (String, String) {
    (host.to_owned(), port.to_owned())
}

#[tokio::test]
async fn a_transaction_of_several_says_how_many() {
    for options in [|b| b, dynamo_trace_etcd::ClientBuilder::without_companions] {
        let bench = Bench::with(options).await;
        let put = |key: &str| TxnOp::put(key, "v", None);
        bench
            .etcd
            .txn(Txn::new().and_then([put("a")]))
            .await
            .unwrap();
        assert_eq!(attribute(&bench.span("Txn"), DB_OPERATION_BATCH_SIZE), None);
        bench.forget_spans();
        let txn = Txn::new().and_then([put("a"), put("b"), put("c")]);
        bench.etcd.txn(txn).await.unwrap();
        let size = attribute(&bench.span("Txn"), DB_OPERATION_BATCH_SIZE);
        assert_eq!(size.as_deref(), Some("3"));
    }
}

#[tokio::test]
async fn a_refusal_is_named_by_its_code() {
    let bench = Bench::start().await;
    let leased = Some(PutOptions::new().with_lease(404));
    bench.etcd.put("k", "v", leased).await.unwrap_err();
    bench.etcd.put("", "v", None).await.unwrap_err();
    let spans = bench.spans();
    assert_eq!(spans.len(), 2);
    for (span, code) in spans.iter().zip(["NOT_FOUND", "INVALID_ARGUMENT"]) {
        assert_eq!(span.status, Status::error(""));
        assert_eq!(attribute(span, DB_RESPONSE_STATUS_CODE).unwrap(), code);
        assert_eq!(attribute(span, "error.type").unwrap(), code);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure() {
    let bench = Bench::start().await;
    let endpoint = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().to_string()
    };
    let options = ConnectOptions::new().with_connect_timeout(Duration::from_secs(5));
    let etcd = Client::builder()
        .with_tracer_provider(&bench.provider)
        .connect([endpoint], Some(options))
        .await
        .unwrap();
    let error = etcd.put("k", "v", None).await.unwrap_err();
    assert!(matches!(error, Error::GRpcStatus(_)), "{error:?}");
    let span = bench.span("Put");
    assert_eq!(span.status, Status::error(""));
    assert!(attribute(&span, "error.type").is_some());
}

#[tokio::test]
async fn streams_are_spans_of_their_creation() {
    let bench = Bench::start().await;
    let lease = bench.etcd.lease_grant(600, None).await.unwrap().id();
    let alive = bench.etcd.lease_keep_alive(lease).await.unwrap();
    let changes = bench
        .etcd
        .watch("k", Some(WatchOptions::new().with_prefix()));
    let changes = changes.await.unwrap();
    for name in ["LeaseKeepAlive", "Watch"] {
        let span = bench.span(name);
        assert_eq!(span.status, Status::Unset);
        assert_eq!(attribute(&span, "dynamo_trace.ending"), None);
    }
    drop((alive, changes));
    assert_eq!(bench.spans().len(), 3);
}

#[tokio::test]
async fn keys_and_values_stay_out_of_spans() {
    let bench = Bench::start().await;
    let options = WatchOptions::new().with_prefix();
    let mut changes = bench.etcd.watch("secret", Some(options)).await.unwrap();
    bench
        .etcd
        .put("secret-key", "secret-value", None)
        .await
        .unwrap();
    bench.etcd.get("secret-key", None).await.unwrap();
    let put = TxnOp::put("secret-key", "secret-value", None);
    bench.etcd.txn(Txn::new().and_then([put])).await.unwrap();
    bench.etcd.delete("secret-key", None).await.unwrap();
    for _ in 0..3 {
        let change = changes.next().await.unwrap().unwrap();
        change.process(async |_| {}).await;
    }
    let spans = bench.spans();
    assert_eq!(spans.len(), 8);
    assert!(!format!("{spans:?}").contains("secret"), "{spans:#?}");
}

#[tokio::test]
async fn the_context_of_the_span_goes_to_the_server() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    etcd.put("k", "v", None).await.unwrap();
    etcd.get("k", None).await.unwrap();
    let seen = tap.seen();
    assert_eq!(tap.methods(), ["Txn", "Range"]);
    for (seen, name) in seen.iter().zip(["Put", "Range"]) {
        let span = bench.span(name).span_context;
        let expected = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        assert_eq!(seen.traceparent.as_ref(), Some(&expected));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let bench = Bench::start().await;
    let tap = Tap::that_never_answers("Txn");
    let etcd = bench.tapped(&tap).await;
    tokio::select! {
        biased;
        _ = etcd.put("k", "v", None) => panic!("answered"),
        () = sent(&tap) => {}
    }
    let span = bench.span("Put");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        attribute(&span, "dynamo_trace.ending").unwrap(),
        "cancelled"
    );
}

/// Until there was a request.
async fn sent(tap: &Tap) {
    while tap.seen().is_empty() {
        tokio::task::yield_now().await;
    }
}
