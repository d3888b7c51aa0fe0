//! Contexts in front of the values, under chosen prefixes.

use crate::bench::{Bench, companion, plain};
use crate::changes::{key, next, process, text, trace_id, value};
use crate::tap::Tap;
use dynamo_trace_etcd::discovery::Instances;
use dynamo_trace_etcd::{Client, ClientBuilder, Place};
use etcd_client::{
    Compare, CompareOp, DeleteOptions, Event, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse,
    WatchOptions,
};
use opentelemetry::trace::noop::NoopTracerProvider;

const MAGIC: &[u8] = b"\x8fdtrace\x1a";

fn sealing(builder: ClientBuilder) -> ClientBuilder {
    builder.with_context_at("e/", Place::Envelope)
}

/// What is in the store.
async fn raw(bench: &Bench, key: &str) -> Vec<u8> {
    let stored = bench.plain.kv_client().get(key, None).await.unwrap();
    stored.kvs().first().unwrap().value().to_vec()
}

/// A client that has no context to write.
async fn untraced(bench: &Bench) -> Client {
    sealing(Client::builder())
        .with_tracer_provider(&NoopTracerProvider::new())
        .connect([bench.server.endpoint()], None)
        .await
        .unwrap()
}

fn range() -> Option<GetOptions> {
    Some(GetOptions::new().with_prefix())
}

#[tokio::test]
async fn the_context_rests_in_front_of_the_value_and_nowhere_else() {
    let bench = Bench::with(sealing).await;
    bench.etcd.put("e/1", "value", None).await.unwrap();
    let stored = raw(&bench, "e/1").await;
    assert!(stored.starts_with(MAGIC) && stored.ends_with(b"value"));
    let span = bench.span("Put").span_context;
    assert!(text(&stored).contains(&span.trace_id().to_string()));
    assert_eq!(bench.stored("").await.len(), 1);
    bench.etcd.delete("e/1", None).await.unwrap();
    assert!(bench.stored("").await.is_empty());
}

#[tokio::test]
async fn readers_of_ours_see_the_value_alone_wherever_pairs_are() {
    let bench = Bench::with(sealing).await;
    let (etcd, mut kv) = (&bench.etcd, bench.etcd.kv_client());
    etcd.put("e/1", "1", None).await.unwrap();
    let previous = Some(PutOptions::new().with_prev_key());
    let put = etcd.put("e/1", "2", previous.clone()).await.unwrap();
    assert_eq!(put.prev_key().unwrap().value(), b"1");
    assert!(put.header().unwrap().member_id() != 0);
    assert_eq!(etcd.get("e/1", None).await.unwrap().kvs()[0].value(), b"2");
    assert_eq!(kv.get("e/", range()).await.unwrap().kvs()[0].value(), b"2");
    let nested = Txn::new().and_then([TxnOp::get("e/", range())]);
    let txn = Txn::new().and_then([
        TxnOp::get("e/1", None),
        TxnOp::txn(nested),
        TxnOp::put("e/1", "3", previous),
    ]);
    let responses = etcd.txn(txn).await.unwrap().op_responses();
    let [
        TxnOpResponse::Get(get),
        TxnOpResponse::Txn(nested),
        TxnOpResponse::Put(put),
    ] = &responses[..]
    else {
        panic!("{responses:?}");
    };
    assert_eq!(get.kvs()[0].value(), b"2");
    let nested = nested.op_responses();
    let TxnOpResponse::Get(get) = &nested[0] else {
        panic!("{nested:?}");
    };
    assert_eq!(get.kvs()[0].value(), b"2");
    assert_eq!(put.prev_key().unwrap().value(), b"2");
    let options = DeleteOptions::new().with_prev_key();
    let deleted = etcd.delete("e/1", Some(options)).await.unwrap();
    assert_eq!(deleted.prev_kvs()[0].value(), b"3");
    // Whoever knows nothing of it sees it.
    etcd.put("e/1", "4", None).await.unwrap();
    assert!(raw(&bench, "e/1").await.starts_with(MAGIC));
}

#[tokio::test]
async fn streams_of_pairs_are_opened_too() {
    let bench = Bench::with(sealing).await;
    let original = bench.etcd.clone().into_inner();
    let mut watch = original.watch_client();
    let options = WatchOptions::new().with_prefix().with_prev_key();
    let mut stream = watch.watch("e/", Some(options)).await.unwrap();
    for value in ["1", "2"] {
        bench.etcd.put("e/1", value, None).await.unwrap();
    }
    let mut events = Vec::new();
    while events.len() < 2 {
        let response = stream.message().await.unwrap().unwrap();
        events.extend(response.events().to_vec());
    }
    let values = |event: &Event| {
        let before = event.prev_kv().map(|kv| text(kv.value()));
        (text(event.kv().unwrap().value()), before)
    };
    let values: Vec<_> = events.iter().map(values).collect();
    let own = |text: &str| text.to_owned();
    assert_eq!(values, [(own("1"), None), (own("2"), Some(own("1")))]);
    // There is no such call before etcd 3.7.
    let status = bench.plain.maintenance_client().status().await.unwrap();
    if status.version().starts_with("3.4.") {
        return;
    }
    let mut kv = original.kv_client();
    let mut stream = kv.get_stream("e/", range()).await.unwrap();
    let found = stream.message().await.unwrap().unwrap();
    assert_eq!(found.kvs()[0].value(), b"2");
}

#[tokio::test]
async fn every_value_comes_back_and_what_others_wrote_reads_as_itself() {
    let bench = Bench::with(sealing).await;
    let untraced = untraced(&bench).await;
    bench.etcd.put("e/sealed", "value", None).await.unwrap();
    let sealed = raw(&bench, "e/sealed").await;
    let mut values = vec![
        Vec::new(),
        b"value".to_vec(),
        MAGIC.to_vec(),
        sealed.clone(),
    ];
    values.extend((0..sealed.len()).map(|length| sealed[..length].to_vec()));
    for value in values {
        for etcd in [&bench.etcd, &untraced] {
            etcd.put("e/1", value.clone(), None).await.unwrap();
            let found = etcd.get("e/1", None).await.unwrap();
            assert_eq!(found.kvs()[0].value(), value);
        }
    }
    untraced.put("e/1", "value", None).await.unwrap();
    assert_eq!(raw(&bench, "e/1").await, b"value");
    let mut plain = plain(&bench.server).await;
    for value in [&b"plain"[..], MAGIC, b"\x8fdtrace\x1a\x01\xff\xff", b""] {
        plain.put("e/1", value, None).await.unwrap();
        let found = bench.etcd.get("e/1", None).await.unwrap();
        assert_eq!(found.kvs()[0].value(), value);
    }
}

#[tokio::test]
async fn changes_have_their_contexts_without_a_read() {
    let bench = Bench::with(sealing).await;
    let tap = Tap::default();
    let etcd = bench.tapped_with(&tap, sealing).await;
    let options = WatchOptions::new().with_prefix().with_prev_key();
    let mut changes = etcd.watch("e/", Some(options)).await.unwrap();
    let mut traces = Vec::new();
    for n in 0..20 {
        bench.forget_spans();
        let put = TxnOp::put(format!("e/{n}"), "value", None);
        bench.etcd.txn(Txn::new().and_then([put])).await.unwrap();
        traces.push(bench.span("Txn").span_context.trace_id());
    }
    for (n, trace) in traces.iter().enumerate() {
        let change = next(&mut changes).await;
        assert_eq!(
            (key(&change), value(&change)),
            (format!("e/{n}"), "value".into())
        );
        assert_eq!(trace_id(&change), Some(*trace));
    }
    // Who deletes leaves nothing there; the value before tells of its writer.
    bench.etcd.delete("e/0", None).await.unwrap();
    let change = next(&mut changes).await;
    assert!(change.remote().is_link_only());
    assert_eq!(trace_id(&change), Some(traces[0]));
    bench
        .plain
        .kv_client()
        .put("e/1", "plain", None)
        .await
        .unwrap();
    assert!(next(&mut changes).await.remote().is_empty());
    bench.plain.kv_client().delete("e/1", None).await.unwrap();
    assert!(next(&mut changes).await.remote().is_empty());
    assert_eq!(tap.methods(), ["Watch"]);
    assert_eq!(etcd.lost_contexts().missing, 3);
}

#[tokio::test]
async fn one_transaction_may_have_keys_of_all_places() {
    let places = |builder| sealing(builder).with_context_at("n/", Place::Nowhere);
    let bench = Bench::with(places).await;
    let mut changes = bench
        .etcd
        .watch("", Some(WatchOptions::new().with_all_keys()))
        .await
        .unwrap();
    let put = |key: &str| TxnOp::put(key, "value", None);
    let nested = TxnOp::txn(Txn::new().and_then([put("e/2")]));
    let txn = Txn::new().and_then([put("c/1"), put("e/1"), put("n/1"), nested]);
    bench.etcd.txn(txn).await.unwrap();
    let stored: Vec<_> = bench.stored("").await.into_iter().map(|kv| kv.0).collect();
    assert_eq!(
        stored,
        [
            companion("c/1"),
            "c/1".into(),
            "e/1".into(),
            "e/2".into(),
            "n/1".into()
        ]
    );
    for key in ["e/1", "e/2"] {
        assert!(raw(&bench, key).await.starts_with(MAGIC));
    }
    for _ in 0..4 {
        process(&mut changes).await;
    }
    let expected = "\
CLIENT Txn
  CONSUMER process change  {dynamo_trace.etcd.change.type=put}
  CONSUMER process change  {dynamo_trace.etcd.change.type=put}
  CONSUMER process change  {dynamo_trace.etcd.change.type=put}

CLIENT Watch

CONSUMER process change  {dynamo_trace.etcd.change.type=put}
";
    assert_eq!(bench.tree(), expected);
    assert_eq!(bench.etcd.lost_contexts(), <_>::default());
}

#[tokio::test]
async fn without_companions_envelopes_stay() {
    let bench = Bench::with(|builder| sealing(builder).without_companions()).await;
    let options = WatchOptions::new().with_prefix();
    let mut changes = bench.etcd.watch("e/", Some(options)).await.unwrap();
    bench.etcd.put("e/1", "value", None).await.unwrap();
    bench.etcd.put("k", "value", None).await.unwrap();
    assert_eq!(bench.stored("").await.len(), 2);
    assert_eq!(raw(&bench, "k").await, b"value");
    assert!(trace_id(&next(&mut changes).await).is_some());
}

#[tokio::test]
async fn a_value_that_is_kept_keeps_its_context() {
    let bench = Bench::with(sealing).await;
    bench.etcd.put("e/1", "value", None).await.unwrap();
    let keep = Some(PutOptions::new().with_ignore_value());
    bench.etcd.put("e/1", "", keep).await.unwrap();
    let found = bench.etcd.get("e/1", None).await.unwrap();
    assert_eq!(found.kvs()[0].value(), b"value");
    assert_eq!(found.kvs()[0].version(), 2);
}

#[tokio::test]
async fn comparisons_with_sealed_values_fail_and_are_counted() {
    let bench = Bench::with(sealing).await;
    for key in ["e/1", "k"] {
        bench.etcd.put(key, "value", None).await.unwrap();
    }
    let compare = |key: &str| {
        let equal = Compare::value(key, CompareOp::Equal, "value");
        Txn::new().when([equal])
    };
    assert!(bench.etcd.txn(compare("k")).await.unwrap().succeeded());
    assert_eq!(bench.etcd.lost_contexts().envelopes_compared, 0);
    assert!(!bench.etcd.txn(compare("e/1")).await.unwrap().succeeded());
    assert_eq!(bench.etcd.lost_contexts().envelopes_compared, 1);
}

#[tokio::test]
async fn a_value_as_large_as_etcd_takes_goes_without() {
    let bench = Bench::with(sealing).await;
    let value = vec![1; 1_572_864 - 100];
    for txn in [false, true] {
        let put = TxnOp::put("e/1", value.clone(), None);
        let written = match txn {
            true => bench.etcd.txn(Txn::new().and_then([put])).await.map(drop),
            false => bench.etcd.put("e/1", value.clone(), None).await.map(drop),
        };
        written.unwrap();
        assert_eq!(raw(&bench, "e/1").await, value);
    }
    let lost = bench.etcd.lost_contexts();
    assert_eq!((lost.envelopes_left_out, lost.companions_left_out), (2, 0));
    // Its neighbours in a transaction lose theirs too.
    let large = TxnOp::put("e/1", value, None);
    let small = TxnOp::put("k", "value", None);
    bench
        .etcd
        .txn(Txn::new().and_then([large, small]))
        .await
        .unwrap();
    assert!(!bench.has(&companion("k")).await);
    assert_eq!(bench.etcd.lost_contexts().companions_left_out, 1);
}

#[tokio::test]
async fn instances_are_found_with_their_writers() {
    let bench = Bench::with(sealing).await;
    let first = crate::changes::put(&bench, "e/1", "value").await;
    let tap = Tap::default();
    let etcd = bench.tapped_with(&tap, sealing).await;
    let mut instances = Instances::watch(&etcd, "e/").await.unwrap();
    assert_eq!(tap.methods(), ["Range", "Watch"]);
    // Companions have pages of their own.
    let all = Instances::watch(&etcd, "").await.unwrap();
    assert_eq!(tap.methods()[2..], ["Range", "Range", "Watch"]);
    assert_eq!(all.snapshot().len(), 1);
    let second = crate::changes::put(&bench, "e/2", "value").await;
    for (key, writer) in [("e/1", first), ("e/2", second)] {
        let change = instances.next().await.unwrap();
        let instance = change.instance();
        assert_eq!(instance.key(), key.as_bytes());
        assert_eq!(instance.value(), "value");
        let found = change.remote().span_context().unwrap();
        assert_eq!(found.trace_id(), writer);
    }
}
