//! Companions that accompany nothing.

use crate::bench::{Bench, companion};
use crate::tap::Tap;
use dynamo_trace_etcd::{Client, Sweep};
use etcd_client::{Txn, TxnOp};
use std::time::Duration;
use tokio::task::JoinSet;

fn sweep() -> Sweep {
    Sweep::new().with_pause(Duration::ZERO)
}

/// Puts keys, all of whose companions are orphans but every third's.
async fn with_orphans(bench: &Bench, prefix: &str, keys: usize) {
    let mut plain = bench.plain.kv_client();
    let all: Vec<_> = (0..keys).map(|n| format!("{prefix}{n:04}")).collect();
    for keys in all.chunks(60) {
        let puts: Vec<_> = keys
            .iter()
            .map(|key| TxnOp::put(&**key, "v", None))
            .collect();
        bench.etcd.txn(Txn::new().and_then(puts)).await.unwrap();
    }
    for keys in all.chunks(60) {
        let foreign = keys.iter().enumerate().filter_map(|(n, key)| match n % 3 {
            0 => None,
            1 => Some(TxnOp::delete(&**key, None)),
            _ => Some(TxnOp::put(&**key, "foreign", None)),
        });
        let foreign: Vec<_> = foreign.collect();
        plain.txn(Txn::new().and_then(foreign)).await.unwrap();
    }
}

/// Every companion is of the revision of its key.
async fn assert_swept(bench: &Bench) {
    let keys = bench.stored("k").await;
    for (companion, _, _, revision) in bench.stored(&companion("k")).await {
        let key = companion
            .strip_prefix(Client::DEFAULT_COMPANION_PREFIX)
            .unwrap();
        let found = keys.iter().find(|(found, ..)| found == key);
        assert_eq!(
            found.map(|(.., revision)| *revision),
            Some(revision),
            "{key}"
        );
    }
}

#[tokio::test]
async fn orphans_go_and_all_else_stays() {
    let bench = Bench::start().await;
    with_orphans(&bench, "k", 300).await;
    bench.etcd.put("other", "v", None).await.unwrap();
    bench.etcd.delete("other", None).await.unwrap();
    let before = bench.stored("k").await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let swept = etcd.sweep_companions(sweep()).await.unwrap();
    assert_eq!((swept.looked_at, swept.removed), (300, 200));
    assert_eq!(bench.stored("k").await, before);
    assert_eq!(bench.stored(&companion("k")).await.len(), 100);
    assert_swept(&bench).await;
    // That of the last deletion is no orphan.
    assert!(bench.has(&companion("")).await);
    // Pages of 64, the last without more to come.
    assert_eq!(tap.methods(), ["Range", "Txn", "Txn"].repeat(5));
    let swept = etcd.sweep_companions(sweep()).await.unwrap();
    assert_eq!((swept.looked_at, swept.removed), (100, 0));
    assert_eq!(tap.methods()[15..], ["Range", "Txn"].repeat(2));
}

#[tokio::test]
async fn a_part_of_the_keys_can_be_swept() {
    let bench = Bench::start().await;
    with_orphans(&bench, "k/a/", 6).await;
    with_orphans(&bench, "k/b/", 6).await;
    let within = sweep().within("k/a/");
    let swept = bench.etcd.sweep_companions(within).await.unwrap();
    assert_eq!((swept.looked_at, swept.removed), (6, 4));
    assert_eq!(bench.stored(&companion("k/b/")).await.len(), 6);
    let none = Bench::with(dynamo_trace_etcd::ClientBuilder::without_companions).await;
    let swept = none.etcd.sweep_companions(sweep()).await.unwrap();
    assert_eq!(swept.looked_at, 0);
}

#[tokio::test]
async fn what_is_put_meanwhile_keeps_its_companion() {
    let bench = Bench::start().await;
    with_orphans(&bench, "k", 12).await;
    // The reads are done; the removal waits.
    let tap = Tap::that_holds(2);
    let etcd = bench.tapped(&tap).await;
    let sweeping = tokio::spawn(async move { etcd.sweep_companions(sweep()).await });
    tap.until(3).await;
    bench.etcd.put("k0001", "v", None).await.unwrap();
    bench.etcd.put("k0002", "v", None).await.unwrap();
    tap.go_on();
    let swept = sweeping.await.unwrap().unwrap();
    assert_eq!((swept.looked_at, swept.removed), (12, 6));
    assert!(bench.has(&companion("k0001")).await && bench.has(&companion("k0002")).await);
    assert_swept(&bench).await;
}

#[tokio::test]
async fn writers_are_not_raced() {
    let bench = Bench::start().await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (etcd, mut plain) = (bench.etcd.clone(), bench.plain.clone());
        writers.spawn(async move {
            for round in 0..40 {
                let key = format!("k{:02}", (writer * 7 + round) % 20);
                etcd.put(&*key, "v", None).await.unwrap();
                match round % 4 {
                    0 => plain.put(&*key, "foreign", None).await.map(drop).unwrap(),
                    1 => plain.delete(&*key, None).await.map(drop).unwrap(),
                    _ => {}
                }
            }
        });
    }
    while !writers.is_empty() {
        bench.etcd.sweep_companions(sweep()).await.unwrap();
        while writers.try_join_next().is_some_and(|done| done.is_ok()) {}
    }
    // A last put of every key: whatever was swept, none was swept from beside its key.
    for n in 0..20 {
        bench.etcd.put(format!("k{n:02}"), "v", None).await.unwrap();
    }
    bench.etcd.sweep_companions(sweep()).await.unwrap();
    assert_eq!(bench.stored(&companion("k")).await.len(), 20);
    assert_swept(&bench).await;
}

#[tokio::test]
async fn a_sweep_that_is_dropped_has_done_a_part() {
    let bench = Bench::start().await;
    with_orphans(&bench, "k", 150).await;
    // In the middle of the second page.
    let tap = Tap::that_holds(4);
    let etcd = bench.tapped(&tap).await;
    tokio::select! {
        biased;
        _ = etcd.sweep_companions(sweep()) => panic!("went on"),
        () = tap.until(5) => {}
    }
    let left = bench.stored(&companion("k")).await.len();
    assert!((51..150).contains(&left), "{left}");
    bench.etcd.sweep_companions(sweep()).await.unwrap();
    assert_eq!(bench.stored(&companion("k")).await.len(), 50);
    assert_swept(&bench).await;
}

#[tokio::test]
async fn it_pauses_behind_each_page() {
    let bench = Bench::start().await;
    with_orphans(&bench, "k", 130).await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let slow = Sweep::new().with_pause(Duration::from_secs(3600));
    bench.etcd.sweep_companions(slow).await.unwrap();
    assert!(before.elapsed() >= 2 * Duration::from_secs(3600));
}
