//! Many at once, and large ones.

use super::{listed, next, soon, tell, told, watch};
use crate::bench::Bench;
use dynamo_trace_etcd::discovery::{Instances, Registration};
use etcd_client::{Txn, TxnOp};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

/// Puts `i/{n}` for each, a hundred at a time.
async fn put_all(bench: &Bench, numbers: std::ops::Range<usize>) {
    let numbers: Vec<_> = numbers.collect();
    for some in numbers.chunks(100) {
        let puts = some
            .iter()
            .map(|n| TxnOp::put(format!("i/{n:05}"), "v", None));
        let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
        bench.plain.kv_client().txn(txn).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_join_at_once_each_with_its_own_trace() {
    const ALL: usize = 500;
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let joining: Vec<_> = (0..ALL)
        .map(|n| {
            let registration = Registration::new(&bench.etcd, format!("i/{n}"), n.to_string());
            let registration = registration.with_ttl(Duration::from_secs(60));
            tokio::spawn(registration.register())
        })
        .collect();
    let mut traces = BTreeMap::new();
    for _ in 0..ALL {
        let joined = next(&mut instances).await;
        let value = String::from_utf8(joined.instance().value().to_vec()).unwrap();
        assert_eq!(told(&joined), format!("+{value} {value}"));
        let span = joined.remote().span_context().unwrap();
        traces.insert(value, span.trace_id());
        assert!(joined.instance().noticed_after().is_some());
    }
    assert_eq!(traces.len(), ALL);
    let apart: HashSet<_> = traces.values().collect();
    assert_eq!(apart.len(), ALL);
    let mut registered = Vec::new();
    for joining in joining {
        registered.push(soon(joining).await.unwrap().unwrap());
    }
    // They leave at once as well.
    drop(registered);
    let left: BTreeSet<_> = tell(&mut instances, ALL).await.into_iter().collect();
    assert_eq!(left.len(), ALL);
    assert!(left.iter().all(|change| change.starts_with('-')));
    assert!(listed(&instances).is_empty());
}

#[tokio::test]
async fn what_is_there_is_read_in_pages_of_one_revision() {
    const ALL: usize = 3 * 512;
    let bench = Bench::start().await;
    put_all(&bench, 0..ALL).await;
    bench.forget_spans();
    let mut instances = watch(&bench.etcd).await;
    let ranges = bench
        .spans()
        .iter()
        .filter(|span| span.name == "Range")
        .count();
    assert_eq!(ranges, 3);
    assert_eq!(instances.snapshot().len(), ALL);
    let expected: Vec<_> = (0..ALL).map(|n| format!("+{n:05} v")).collect();
    assert_eq!(tell(&mut instances, ALL).await, expected);
}

#[tokio::test]
async fn pages_that_are_too_long_for_a_response_get_shorter() {
    const MIB: usize = 1 << 20;
    let bench = Bench::start().await;
    for n in 0..9 {
        bench.put(&format!("i/{n}"), vec![b'x'; MIB]).await;
    }
    let mut instances = soon(Instances::watch(&bench.etcd, "i/")).await.unwrap();
    assert_eq!(instances.snapshot().len(), 9);
    assert!(
        instances
            .snapshot()
            .values()
            .all(|i| i.value().len() == MIB)
    );
    for n in 0..9 {
        assert_eq!(
            &*next(&mut instances).await.instance().name(),
            n.to_string()
        );
    }
    // Events as large, in one transaction each.
    for n in 0..9 {
        bench.put(&format!("i/{n}"), vec![b'y'; MIB]).await;
    }
    for n in 0..9 {
        let updated = next(&mut instances).await;
        assert_eq!(&*updated.instance().name(), n.to_string());
        assert_eq!(updated.instance().value()[0], b'y');
    }
}

#[tokio::test]
async fn who_falls_behind_gets_the_differences() {
    const BEFORE: usize = 600;
    const AFTER: usize = 1600;
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    put_all(&bench, 0..BEFORE).await;
    assert_eq!(tell(&mut instances, 1).await, ["+00000 v"]);
    put_all(&bench, BEFORE..AFTER).await;
    bench.put("i/00000", "w").await;
    bench.put("i/mayfly", "v").await;
    for gone in ["i/mayfly", "i/00001", "i/00700"] {
        bench.plain.kv_client().delete(gone, None).await.unwrap();
    }
    bench.put("i/last", "v").await;
    soon(instances.wait_for(|map| map.contains_key(&b"i/last"[..])))
        .await
        .unwrap();
    let told = tell(&mut instances, AFTER - 3 + 2).await;
    // The first one had been told; two that left were never told of; nobody is told twice.
    let mut expected: Vec<_> = (1..AFTER)
        .filter(|n| ![1, 700].contains(n))
        .map(|n| format!("+{n:05} v"))
        .collect();
    expected.extend(["=00000 w", "+last v"].map(str::to_owned));
    assert_eq!(told, expected);
    // And then it goes on, until it happens again.
    bench.put("i/next", "v").await;
    assert_eq!(tell(&mut instances, 1).await, ["+next v"]);
    put_all(&bench, 0..AFTER).await;
    let last = format!("i/{:05}", AFTER - 1).into_bytes();
    let before = instances.get("i/next").unwrap().mod_revision();
    soon(instances.wait_for(|map| map[&last[..]].mod_revision() > before))
        .await
        .unwrap();
    let told = tell(&mut instances, AFTER).await;
    // Those two had left.
    let expected = (0..AFTER).map(|n| {
        let sign = if [1, 700].contains(&n) { '+' } else { '=' };
        format!("{sign}{n:05} v")
    });
    assert_eq!(told, expected.collect::<Vec<_>>());
}
