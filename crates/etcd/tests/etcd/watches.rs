//! Watches as streams: what comes, in which order, and how they end.

use crate::bench::{Bench, companion};
use crate::changes::{key, next, trace_id};
use crate::tap::Tap;
use dynamo_trace_etcd::Error;
use etcd_client::{CompactionOptions, Txn, TxnOp, WatchOptions};

fn prefix() -> Option<WatchOptions> {
    Some(WatchOptions::new().with_prefix())
}

#[tokio::test]
async fn changes_come_in_order_each_with_its_own_context() {
    const PUTS: usize = 100;
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    for n in 0..PUTS {
        let key = format!("k{n:03}");
        bench.etcd.put(key, "v", None).await.unwrap();
    }
    let mut spans = bench.spans();
    spans.retain(|span| span.name == "Put");
    for (n, span) in spans.iter().enumerate() {
        let change = next(&mut changes).await;
        assert_eq!(key(&change), format!("k{n:03}"));
        assert_eq!(trace_id(&change), Some(span.span_context.trace_id()));
    }
}

#[tokio::test]
async fn reading_ahead_loses_nothing_when_next_is_dropped() {
    const PUTS: usize = 50;
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    let puts = (0..PUTS).map(|n| TxnOp::put(format!("k{n:03}"), "v", None));
    let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
    bench.etcd.txn(txn).await.unwrap();
    let mut received = Vec::new();
    let mut dropped = 0;
    while received.len() < PUTS {
        tokio::select! {
            biased;
            change = changes.next() => received.push(change.unwrap().unwrap()),
            () = tokio::task::yield_now() => dropped += 1,
        }
    }
    assert!(dropped > 0);
    let expected: Vec<_> = (0..PUTS).map(|n| format!("k{n:03}")).collect();
    assert_eq!(received.iter().map(key).collect::<Vec<_>>(), expected);
    let txn = bench.span("Txn").span_context.trace_id();
    assert!(received.iter().all(|change| trace_id(change) == Some(txn)));
}

#[tokio::test]
async fn a_watch_over_everything_sees_no_companions_and_reads_none() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let all = WatchOptions::new().with_all_keys();
    let mut changes = etcd.watch("", Some(all)).await.unwrap();
    bench.etcd.put("a", "v", None).await.unwrap();
    bench.etcd.delete("a", None).await.unwrap();
    bench.etcd.put("z", "v", None).await.unwrap();
    let seen = [
        next(&mut changes).await,
        next(&mut changes).await,
        next(&mut changes).await,
    ];
    assert_eq!(seen.iter().map(key).collect::<Vec<_>>(), ["a", "a", "z"]);
    let linked: Vec<_> = seen.iter().map(|c| trace_id(c).is_some()).collect();
    assert_eq!(linked, [true, true, true]);
    assert_eq!(tap.methods(), ["Watch"]);
}

#[tokio::test]
async fn at_most_one_read_for_a_change() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let mut changes = etcd.watch("k", None).await.unwrap();
    bench.etcd.put("k", "v", None).await.unwrap();
    bench.etcd.delete("k", None).await.unwrap();
    bench.plain.kv_client().put("k", "v", None).await.unwrap();
    bench.plain.kv_client().delete("k", None).await.unwrap();
    for linked in [true, true, false, false] {
        let change = next(&mut changes).await;
        assert_eq!(trace_id(&change).is_some(), linked);
    }
    assert_eq!(tap.methods(), ["Watch", "Range", "Txn", "Range", "Txn"]);
    // Reading is nobody's call: the server is told of none.
    assert!(
        tap.seen()[1..]
            .iter()
            .all(|seen| seen.traceparent.is_none())
    );
}

#[tokio::test]
async fn without_context_nothing_is_read() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let changes = etcd.watch("k", None).await.unwrap();
    let mut changes = changes.without_context();
    bench.etcd.put("k", "v", None).await.unwrap();
    let change = next(&mut changes).await;
    assert!(change.remote().is_empty());
    assert_eq!(tap.methods(), ["Watch"]);
}

#[tokio::test]
async fn a_read_that_is_never_answered_does_not_hold_changes_back() {
    let bench = Bench::start().await;
    let tap = Tap::that_never_answers("Range");
    let etcd = bench.tapped(&tap).await;
    let mut changes = etcd.watch("k", None).await.unwrap();
    for value in ["1", "2", "3"] {
        bench.etcd.put("k", value, None).await.unwrap();
    }
    for value in ["1", "2", "3"] {
        let change = next(&mut changes).await;
        assert!(change.remote().is_empty());
        assert_eq!(change.kv().unwrap().value_str().unwrap(), value);
    }
    assert_eq!(tap.methods(), ["Watch", "Range", "Range", "Range"]);
}

#[tokio::test]
async fn many_changes_are_not_held_back_longer_than_one() {
    const CHANGES: usize = 96;
    let bench = Bench::start().await;
    let tap = Tap::that_never_answers("Range");
    let etcd = bench.tapped(&tap).await;
    let mut changes = etcd.watch("k", prefix()).await.unwrap();
    let puts = (0..CHANGES).map(|n| TxnOp::put(format!("k{n:03}"), "v", None));
    let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
    bench.plain.kv_client().txn(txn).await.unwrap();
    // Further ones come in responses of their own.
    for n in 0..CHANGES {
        let mut kv = bench.plain.kv_client();
        kv.put(format!("k{n:03}"), "v", None).await.unwrap();
    }
    for n in 0..2 * CHANGES {
        assert_eq!(
            key(&next(&mut changes).await),
            format!("k{:03}", n % CHANGES)
        );
    }
    // The first sixteen are waited for, together; after that nothing is asked.
    assert!(tap.methods().len() <= 17);
}

#[tokio::test]
async fn every_change_of_a_burst_finds_its_context() {
    const TXNS: usize = 250;
    const PUTS: usize = 60;
    let bench = Bench::start().await;
    for txn in 0..TXNS {
        let puts = (0..PUTS).map(|n| TxnOp::put(format!("k/{txn}/{n}"), "v", None));
        let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
        bench.etcd.txn(txn).await.unwrap();
    }
    let all = WatchOptions::new().with_all_keys().with_start_revision(1);
    let mut changes = bench.etcd.watch("", Some(all)).await.unwrap();
    for _ in 0..TXNS * PUTS {
        assert!(trace_id(&next(&mut changes).await).is_some());
    }
}

#[tokio::test]
async fn without_context_companions_stay_left_out() {
    let bench = Bench::start().await;
    let all = WatchOptions::new().with_all_keys();
    let changes = bench.etcd.watch("", Some(all)).await.unwrap();
    let mut changes = changes.without_context();
    for name in ["a", "z"] {
        bench.etcd.put(name, "v", None).await.unwrap();
    }
    for name in ["a", "z"] {
        let change = next(&mut changes).await;
        assert_eq!(key(&change), name);
        assert!(change.remote().is_empty());
    }
}

#[tokio::test]
async fn compaction_between_change_and_read_leaves_no_context() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    bench.etcd.put("k1", "v", None).await.unwrap();
    let last = bench.etcd.put("k2", "v", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    let physical = Some(CompactionOptions::new().with_physical());
    let mut kv = bench.plain.kv_client();
    kv.compact(revision, physical).await.unwrap();
    let compacted = next(&mut changes).await;
    assert_eq!(key(&compacted), "k1");
    assert!(compacted.remote().is_empty());
    let kept = next(&mut changes).await;
    assert_eq!(key(&kept), "k2");
    assert!(trace_id(&kept).is_some());
}

#[tokio::test]
async fn a_watch_from_a_compacted_revision_fails_and_says_why() {
    let bench = Bench::start().await;
    bench.etcd.put("k", "1", None).await.unwrap();
    let last = bench.etcd.put("k", "2", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    bench
        .plain
        .kv_client()
        .compact(revision, None)
        .await
        .unwrap();
    let options = WatchOptions::new().with_start_revision(revision - 1);
    let mut changes = bench.etcd.watch("k", Some(options)).await.unwrap();
    let failed = changes.next().await.unwrap();
    assert!(matches!(failed, Err(Error::WatchError(_))), "{failed:?}");
    assert_eq!(changes.compact_revision(), Some(revision));
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_cancelled_watch_ends_after_what_came_before() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    assert!(changes.created().created());
    assert_eq!(changes.watch_id(), changes.created().watch_id());
    bench.etcd.put("k", "v", None).await.unwrap();
    changes.cancel().await.unwrap();
    assert_eq!(key(&next(&mut changes).await), "k");
    assert!(changes.next().await.is_none());
    assert!(changes.next().await.is_none());
    assert_eq!(changes.compact_revision(), None);
}

#[tokio::test]
async fn a_server_that_goes_away_ends_the_watch_with_an_error() {
    let mut bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    bench.server.process().kill();
    assert!(changes.next().await.unwrap().is_err());
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn companions_that_others_left_are_not_believed() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    let mut plain = bench.plain.kv_client();
    // Garbage, one that is too long, one of another version.
    for beside in [b"garbage".to_vec(), vec![1; 100_000], vec![9; 80]] {
        let txn = Txn::new().and_then([
            TxnOp::put("k", "v", None),
            TxnOp::put(companion("k"), beside, None),
        ]);
        plain.txn(txn).await.unwrap();
    }
    // A value that somebody wrote over, leaving the companion as it was.
    bench.etcd.put("k", "traced", None).await.unwrap();
    plain.put("k", "overwritten", None).await.unwrap();
    for (value, linked) in [
        ("v", false),
        ("v", false),
        ("v", false),
        ("traced", true),
        ("overwritten", false),
    ] {
        let change = next(&mut changes).await;
        assert_eq!(change.kv().unwrap().value_str().unwrap(), value);
        assert_eq!(trace_id(&change).is_some(), linked, "{value}");
    }
}
