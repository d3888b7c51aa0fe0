//! What rests beside the values.

use crate::bench::{Bench, companion};
use crate::tap::Tap;
use dynamo_trace_core::{Carrier, ContextBlock, Field};
use etcd_client::{Compare, CompareOp, DeleteOptions, PutOptions, Txn, TxnOp};
use opentelemetry::trace::TraceContextExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Every key has a companion of its own revision and lease, and nothing else has. The note that
/// deletions leave is beside no key.
async fn assert_accompanied(bench: &Bench, keys: &[&str]) {
    let mut expected = Vec::new();
    for (key, _, lease, revision) in bench.stored("k").await {
        expected.push((companion(&key), lease, revision));
    }
    let mut found = Vec::new();
    let stored = bench.stored(&companion("")).await.into_iter();
    for (key, _, lease, revision) in stored.filter(|(key, ..)| *key != companion("")) {
        found.push((key, lease, revision));
    }
    assert_eq!(found, expected);
    let keys: Vec<_> = keys.iter().map(|key| companion(key)).collect();
    let found: Vec<_> = found.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(found, keys);
}

#[tokio::test]
async fn a_put_writes_the_value_and_beside_it_the_context_of_its_span() {
    let bench = Bench::start().await;
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    bench.etcd.put("k", all_bytes.clone(), None).await.unwrap();

    let mut kv = bench.plain.kv_client();
    let value = kv.get("k", None).await.unwrap();
    assert_eq!(value.kvs()[0].value(), all_bytes);
    let beside = kv.get(companion("k"), None).await.unwrap();
    let beside = &beside.kvs()[0];
    assert_eq!(beside.mod_revision(), value.kvs()[0].mod_revision());
    let block = ContextBlock::parse(beside.value()).unwrap();
    let values: Vec<_> = block.values_of(Field::TraceParent).collect();
    let span = bench.span("Put").span_context;
    let expected = format!("00-{}-{}-01", span.trace_id(), span.span_id());
    assert_eq!(values, [expected.as_bytes()]);
    let values: Vec<_> = block.values_of(Field::Other("t")).collect();
    let millis = std::str::from_utf8(values[0]).unwrap().parse().unwrap();
    let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_millis(millis));
    assert!(age.unwrap() < Duration::from_secs(60));
    let names: Vec<_> = block.field_names().collect();
    assert_eq!(names, ["traceparent", "t"]);
}

#[tokio::test]
async fn a_companion_shares_the_lease_of_its_key() {
    let bench = Bench::start().await;
    let lease = bench.etcd.lease_grant(600, None).await.unwrap().id();
    let leased = || Some(PutOptions::new().with_lease(lease));
    bench.etcd.put("k1", "1", leased()).await.unwrap();
    bench.etcd.put("k2", "1", None).await.unwrap();
    let leased = TxnOp::put("k3", "1", leased());
    bench.etcd.txn(Txn::new().and_then([leased])).await.unwrap();
    assert_accompanied(&bench, &["k1", "k2", "k3"]).await;

    let keep = || Some(PutOptions::new().with_ignore_lease());
    bench.etcd.put("k1", "2", keep()).await.unwrap();
    let same = Some(PutOptions::new().with_ignore_value().with_lease(lease));
    bench.etcd.put("k3", "", same).await.unwrap();
    assert_accompanied(&bench, &["k1", "k2", "k3"]).await;
    assert_eq!(bench.stored("k3").await[0].1, "1");

    bench.etcd.lease_revoke(lease).await.unwrap();
    assert_accompanied(&bench, &["k2"]).await;
    assert_eq!(bench.etcd.companions_left_out(), 0);
}

#[tokio::test]
async fn a_kept_lease_that_nobody_knows_gets_no_companion() {
    let bench = Bench::start().await;
    bench.plain.kv_client().put("k", "1", None).await.unwrap();
    let keep = Some(PutOptions::new().with_ignore_lease());
    bench.etcd.put("k", "2", keep).await.unwrap();
    assert_eq!(bench.stored("k").await[0].1, "2");
    assert!(!bench.has(&companion("k")).await);
    assert_eq!(bench.etcd.companions_left_out(), 0);
}

#[tokio::test]
async fn companions_go_with_their_keys() {
    let bench = Bench::start().await;
    for key in ["k/1", "k/2", "k/3", "ka", "kb", "kc"] {
        bench.etcd.put(key, "v", None).await.unwrap();
    }
    bench.etcd.delete("k/1", None).await.unwrap();
    assert_accompanied(&bench, &["k/2", "k/3", "ka", "kb", "kc"]).await;
    let prefix = DeleteOptions::new().with_prefix();
    bench.etcd.delete("k/", Some(prefix)).await.unwrap();
    assert_accompanied(&bench, &["ka", "kb", "kc"]).await;
    let range = DeleteOptions::new().with_range("kb");
    bench.etcd.delete("ka", Some(range)).await.unwrap();
    assert_accompanied(&bench, &["kb", "kc"]).await;
    let all = DeleteOptions::new().with_all_keys();
    let deleted = bench.etcd.delete("", Some(all)).await.unwrap();
    assert_eq!(deleted.deleted(), 2);
    assert!(bench.stored("").await.is_empty());
}

#[tokio::test]
async fn transactions_write_the_companions_of_the_branch_that_runs() {
    let bench = Bench::start().await;
    let txn = || {
        let nested = Txn::new().and_then([TxnOp::put("k3", "v", None)]);
        Txn::new()
            .when([Compare::version("k1", CompareOp::Greater, 0)])
            .and_then([
                TxnOp::delete("k1", None),
                TxnOp::put("k2", "v", None),
                TxnOp::txn(nested),
            ])
            .or_else([TxnOp::put("k1", "v", None)])
    };
    let response = bench.etcd.txn(txn()).await.unwrap();
    assert_eq!(response.op_responses().len(), 1);
    assert_accompanied(&bench, &["k1"]).await;
    let response = bench.etcd.txn(txn()).await.unwrap();
    assert_eq!(response.op_responses().len(), 3);
    assert_accompanied(&bench, &["k2", "k3"]).await;
}

#[tokio::test]
async fn a_long_transaction_goes_without() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let puts = |prefix: &str, count: usize| {
        let puts = (0..count).map(|n| TxnOp::put(format!("{prefix}{n:03}"), "v", None));
        puts.collect::<Vec<_>>()
    };
    let long = puts("k", 64);
    etcd.txn(Txn::new().and_then(long)).await.unwrap();
    assert_eq!(bench.stored(&companion("")).await.len(), 64);
    assert_eq!(etcd.companions_left_out(), 0);
    let too_long = puts("k", 65);
    etcd.txn(Txn::new().and_then(too_long)).await.unwrap();
    assert_eq!(bench.stored("k").await.len(), 65);
    assert_eq!(bench.stored(&companion("")).await.len(), 64);
    assert_eq!(etcd.companions_left_out(), 1);
    // A nested one has what the outer leaves.
    let nested = TxnOp::txn(Txn::new().and_then(puts("n", 60)));
    let outer = [puts("o", 20), vec![nested]].concat();
    etcd.txn(Txn::new().and_then(outer)).await.unwrap();
    assert_eq!(etcd.companions_left_out(), 2);
    // None was tried first.
    assert_eq!(tap.methods(), ["Txn"; 3]);
}

#[tokio::test]
async fn a_value_as_large_as_etcd_takes_goes_without() {
    let bench = Bench::start().await;
    let value = vec![1; 1_572_864 - 100];
    bench.etcd.put("k", value, None).await.unwrap();
    assert!(bench.has("k").await);
    assert!(!bench.has(&companion("k")).await);
    assert_eq!(bench.etcd.companions_left_out(), 1);
}

#[tokio::test]
async fn without_a_span_or_by_choice_there_is_no_companion() {
    let bench = Bench::start().await;
    let untraced = dynamo_trace_etcd::Client::builder()
        .with_tracer_provider(&opentelemetry::trace::noop::NoopTracerProvider::new())
        .connect([bench.server.endpoint()], None)
        .await
        .unwrap();
    untraced.put("k1", "v", None).await.unwrap();
    let without = Bench::with(dynamo_trace_etcd::ClientBuilder::without_companions).await;
    without.etcd.put("k2", "v", None).await.unwrap();
    let empty = Bench::with(|builder| builder.companion_prefix("")).await;
    empty.etcd.put("k3", "v", None).await.unwrap();
    for (bench, key) in [(&bench, "k1"), (&without, "k2"), (&empty, "k3")] {
        let stored = bench.stored("").await;
        assert_eq!(stored.len(), 1, "{stored:?}");
        assert_eq!(stored[0].0, key);
    }
}

#[tokio::test]
async fn the_prefix_can_be_chosen_and_what_is_under_it_has_no_companion() {
    let bench = Bench::with(|builder| builder.companion_prefix("traces/")).await;
    bench.etcd.put("k", "v", None).await.unwrap();
    bench.etcd.put("traces/own", "v", None).await.unwrap();
    let keys: Vec<_> = bench.stored("").await.into_iter().map(|kv| kv.0).collect();
    assert_eq!(keys, ["k", "traces/k", "traces/own"]);
    let beneath = DeleteOptions::new().with_prefix();
    let deleted = bench.etcd.delete("traces/", Some(beneath)).await.unwrap();
    assert_eq!(deleted.deleted(), 2);
}

#[tokio::test]
async fn every_client_that_etcd_client_hands_out_writes_them() {
    let bench = Bench::start().await;
    bench.etcd.kv_client().put("k1", "v", None).await.unwrap();
    let mut original = bench.etcd.clone().into_inner();
    original.put("k2", "v", None).await.unwrap();
    let mut prefixed = etcd_client::KvClientPrefix::new(bench.etcd.kv_client(), "k3/".into());
    prefixed.put("own", "v", None).await.unwrap();
    assert_accompanied(&bench, &["k1", "k2", "k3/own"]).await;
    let seen = prefixed.get("own", None).await.unwrap();
    assert_eq!(seen.kvs().len(), 1);
}

#[tokio::test]
async fn baggage_does_not_rest_in_the_store() {
    let bench = Bench::start().await;
    let caller = [
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("tracestate", "a=1"),
        ("baggage", "user=alice"),
    ];
    let caller: Vec<_> = caller.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let context = dynamo_trace_core::Propagation::w3c().extract(&<_>::default(), &caller);
    assert!(context.span().span_context().is_valid());
    let put = bench.etcd.put("k", "v", None);
    crate::bench::within(context, put).await.unwrap();
    let (_, beside, ..) = bench.stored(&companion("k")).await.remove(0);
    assert!(beside.contains("0af7651916cd43dd8448eb211c80319c"));
    assert!(beside.contains("a=1"));
    assert!(!beside.contains("alice"));
}
