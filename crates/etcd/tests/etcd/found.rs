//! Reads with the contexts of the last writers.

use crate::bench::{Bench, companion};
use crate::changes::{put, text, writer};
use crate::tap::Tap;
use dynamo_trace_etcd::{Client, Place, Relation};
use etcd_client::{CompactionOptions, Error, GetOptions, SortOrder, SortTarget, Txn, TxnOp};
use opentelemetry::trace::TraceId;
use std::collections::HashMap;

fn range() -> GetOptions {
    GetOptions::new().with_prefix()
}

/// The traces of who put a key at a revision.
type Writers = HashMap<(String, i64), TraceId>;

/// Keys of all kinds: put twice, put by others, put in one transaction.
async fn filled(bench: &Bench) -> Writers {
    let mut writers = Writers::new();
    for (n, key) in ["k5", "k1", "k3", "k1"].into_iter().enumerate() {
        let value = format!("{}", 9 - n);
        let trace = put(bench, key, &value).await;
        let revision = bench.stored(key).await.first().unwrap().3;
        writers.insert((key.to_owned(), revision), trace);
    }
    bench.plain.kv_client().put("k2", "7", None).await.unwrap();
    let ops = ["k4", "k6"].map(|key| TxnOp::put(key, "5", None));
    let txn = bench.etcd.txn(Txn::new().and_then(ops)).await.unwrap();
    let revision = txn.header().unwrap().revision();
    let trace = bench.span("Txn").span_context.trace_id();
    writers.insert(("k4".to_owned(), revision), trace);
    writers.insert(("k6".to_owned(), revision), trace);
    writers
}

async fn assert_same(etcd: &Client, bench: &Bench, options: GetOptions, writers: &Writers) {
    let plain = bench
        .plain
        .kv_client()
        .get("k", Some(options.clone()))
        .await;
    let plain = plain.unwrap();
    let found = etcd
        .get_with_context("k", Some(options.clone()))
        .await
        .unwrap();
    let context = format!("{options:?}");
    let pairs = |kvs: Vec<&etcd_client::KeyValue>| format!("{kvs:?}");
    let found_pairs = pairs(found.kvs().iter().map(|kv| &**kv).collect());
    assert_eq!(
        found_pairs,
        pairs(plain.kvs().iter().collect()),
        "{context}"
    );
    assert_eq!(
        (found.more(), found.count()),
        (plain.more(), plain.count()),
        "{context}"
    );
    assert_eq!(
        format!("{:?}", found.header()),
        format!("{:?}", plain.header()),
        "{context}"
    );
    for kv in found.kvs() {
        let at = (text(kv.key()), kv.mod_revision());
        assert_eq!(writer(kv), writers.get(&at).copied(), "{at:?} {context}");
    }
}

#[tokio::test]
async fn every_pair_has_the_context_of_its_writer_whatever_the_options() {
    let bench = Bench::start().await;
    let writers = filled(&bench).await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let by = |target, order| range().with_sort(target, order);
    let in_one_rpc = [
        range(),
        range().with_limit(3),
        range().with_limit(100),
        range().with_serializable(),
        range().with_keys_only(),
        range().with_count_only(),
        range().with_revision(3),
        range().with_revision(3).with_limit(1),
        range().with_min_mod_revision(4),
        range().with_max_mod_revision(4),
        by(SortTarget::Key, SortOrder::Ascend).with_limit(2),
        by(SortTarget::Mod, SortOrder::Descend),
        GetOptions::new()
            .with_all_keys()
            .with_max_create_revision(0)
            .with_min_mod_revision(1_000),
    ];
    let in_two = [
        by(SortTarget::Key, SortOrder::Descend).with_limit(2),
        by(SortTarget::Mod, SortOrder::Descend).with_limit(3),
        by(SortTarget::Mod, SortOrder::Ascend)
            .with_limit(2)
            .with_revision(4),
        by(SortTarget::Value, SortOrder::Ascend).with_limit(4),
        by(SortTarget::Version, SortOrder::Descend).with_limit(1),
        by(SortTarget::Create, SortOrder::Ascend).with_limit(5),
    ];
    for (options, rpcs) in [(&in_one_rpc[..], 1), (&in_two[..], 2)] {
        for options in options {
            let before = tap.seen().len();
            assert_same(&etcd, &bench, options.clone(), &writers).await;
            assert_eq!(tap.seen().len() - before, rpcs, "{options:?}");
        }
    }
    let mut lost = etcd.lost_contexts();
    assert!(lost.missing > 0);
    lost.missing = 0;
    assert_eq!(lost, <_>::default());
}

#[tokio::test]
async fn a_read_is_one_span_and_what_it_found_is_linked() {
    let bench = Bench::start().await;
    bench.etcd.put("k", "v", None).await.unwrap();
    let found = bench.etcd.get_with_context("k", None).await.unwrap();
    for kv in found.into_kvs() {
        assert_eq!(kv.relation(), Relation::Link);
        kv.process(async |kv| assert_eq!(kv.value(), b"v")).await;
    }
    let missing = bench.etcd.get_with_context("none", None).await.unwrap();
    assert!(missing.kvs().is_empty());
    let by_value = range().with_sort(SortTarget::Value, SortOrder::Ascend);
    let found = bench
        .etcd
        .get_with_context("k", Some(by_value.with_limit(1)));
    assert!(writer(&found.await.unwrap().kvs()[0]).is_some());
    let expected = "\
CLIENT Put

CLIENT Range

CLIENT Range

CLIENT Range

CONSUMER process change  {dynamo_trace.etcd.change.type=put}
  ~ link: CLIENT Put
";
    assert_eq!(bench.tree(), expected);
}

#[tokio::test]
async fn orphans_hide_no_context() {
    let bench = Bench::start().await;
    for n in 0..10 {
        bench.etcd.put(format!("k{n}"), "v", None).await.unwrap();
    }
    // Those of keys that others deleted come first.
    for n in 0..6 {
        let mut plain = bench.plain.kv_client();
        plain.delete(format!("k{n}"), None).await.unwrap();
    }
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let options = range().with_limit(3);
    let found = etcd.get_with_context("k", Some(options)).await.unwrap();
    assert_eq!(found.kvs().len(), 3);
    assert!(found.kvs().iter().all(|kv| writer(kv).is_some()));
    assert_eq!(tap.methods().len(), 2);
}

#[tokio::test]
async fn contexts_come_with_the_first_pairs_only() {
    const KEYS: usize = 1200;
    let bench = Bench::start().await;
    for chunk in 0..KEYS / 60 {
        let keys = (chunk * 60..).take(60).map(|n| format!("k{n:04}"));
        let puts: Vec<_> = keys.map(|key| TxnOp::put(key, "v", None)).collect();
        bench.etcd.txn(Txn::new().and_then(puts)).await.unwrap();
    }
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let found = etcd.get_with_context("k", Some(range())).await.unwrap();
    let with = |kvs: &[dynamo_trace_etcd::Received<_>]| {
        kvs.iter().filter(|kv| writer(kv).is_some()).count()
    };
    assert_eq!(found.kvs().len(), KEYS);
    assert_eq!(
        (with(&found.kvs()[..1024]), with(found.kvs())),
        (1024, 1024)
    );
    assert_eq!(tap.methods().len(), 1);
    // In another order they have to be read: in transactions of 128.
    let backwards = range().with_sort(SortTarget::Key, SortOrder::Descend);
    let found = etcd.get_with_context("k", Some(backwards.with_limit(1100)));
    assert_eq!(with(found.await.unwrap().kvs()), 1024);
    assert_eq!(tap.methods().len(), 1 + 1 + 1024 / 128);
}

#[tokio::test]
async fn what_is_in_envelopes_is_found_too() {
    let sealing = |builder: dynamo_trace_etcd::ClientBuilder| {
        let builder = builder.with_context_at("k/e/", Place::Envelope);
        builder.with_context_at("k/n/", Place::Nowhere)
    };
    let bench = Bench::with(sealing).await;
    let tap = Tap::default();
    let etcd = bench.tapped_with(&tap, sealing).await;
    let mut traces = Vec::new();
    for key in ["k/c/1", "k/e/1", "k/n/1"] {
        traces.push(put(&bench, key, "value").await);
    }
    let found = etcd.get_with_context("k", Some(range())).await.unwrap();
    let writers: Vec<_> = found.kvs().iter().map(writer).collect();
    assert_eq!(writers, [Some(traces[0]), Some(traces[1]), None]);
    assert!(found.kvs().iter().all(|kv| kv.value() == b"value"));
    for key in ["k/e/1", "k/n/1"] {
        etcd.get_with_context(key, None).await.unwrap();
    }
    assert_eq!(tap.methods(), ["Txn", "Range", "Range"]);
    assert_eq!(etcd.lost_contexts(), <_>::default());
    let keys = etcd.get_with_context("k/e/1", Some(GetOptions::new().with_keys_only()));
    assert_eq!(writer(&keys.await.unwrap().kvs()[0]), None);
}

#[tokio::test]
async fn failures_are_those_of_a_get() {
    let bench = Bench::start().await;
    bench.etcd.put("k", "1", None).await.unwrap();
    let last = bench.etcd.put("k", "2", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    let physical = Some(CompactionOptions::new().with_physical());
    bench
        .plain
        .kv_client()
        .compact(revision, physical)
        .await
        .unwrap();
    let status = |error: Error| match error {
        Error::GRpcStatus(status) => (status.code(), status.message().to_owned()),
        other => panic!("{other:?}"),
    };
    for (key, options) in [
        ("k", GetOptions::new().with_revision(revision - 1)),
        ("k", GetOptions::new().with_revision(revision + 1)),
        ("", GetOptions::new()),
    ] {
        let options = Some(options);
        let plain = bench.plain.kv_client().get(key, options.clone()).await;
        let found = bench.etcd.get_with_context(key, options).await;
        assert_eq!(status(found.unwrap_err()), status(plain.unwrap_err()));
    }
    // The pair is from before the compaction, and so is its companion, which is still there.
    let found = bench.etcd.get_with_context("k", None).await.unwrap();
    assert!(writer(&found.kvs()[0]).is_some());
    assert!(bench.has(&companion("k")).await);
}
