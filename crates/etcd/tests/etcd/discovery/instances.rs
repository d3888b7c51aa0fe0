//! The live map and its changes.

use super::{listed, next, register, soon, tell, told, watch};
use crate::bench::Bench;
use dynamo_trace_etcd::discovery::{Change, Instances};
use etcd_client::{Txn, TxnOp};
use std::sync::Arc;

#[tokio::test]
async fn it_tells_who_is_there_and_who_comes_and_goes() {
    let bench = Bench::start().await;
    let second = register(&bench.etcd, "i/b").await;
    let first = register(&bench.etcd, "i/a").await;
    bench.put("other/i", "v").await;
    let mut instances = watch(&bench.etcd).await;
    // The map is complete before anything is taken.
    assert_eq!(listed(&instances), ["a v", "b v"]);
    // In the order in which they were put.
    assert_eq!(tell(&mut instances, 2).await, ["+b v", "+a v"]);
    let third = register(&bench.etcd, "i/c").await;
    first.update("w").await.unwrap();
    second.deregister().await.unwrap();
    assert_eq!(tell(&mut instances, 3).await, ["+c v", "=a w", "-b"]);
    assert_eq!(listed(&instances), ["a w", "c v"]);
    let a = instances.get("i/a").unwrap();
    assert_eq!(
        (a.key(), &*a.name(), &a.value()[..]),
        (&b"i/a"[..], "a", &b"w"[..])
    );
    assert!(a.lease() != 0 && a.mod_revision() > a.create_revision());
    assert!(instances.get("i/b").is_none() && instances.get("a").is_none());
    assert!(instances.error().is_none());
    drop(third);
}

#[tokio::test]
async fn a_snapshot_stays_as_it_is_and_the_map_goes_on() {
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    bench.put("i/a", "v").await;
    tell(&mut instances, 1).await;
    let snapshot = instances.snapshot();
    assert!(Arc::ptr_eq(&snapshot, &instances.snapshot()));
    bench.put("i/b", "v").await;
    tell(&mut instances, 1).await;
    assert_eq!((snapshot.len(), instances.snapshot().len()), (1, 2));
}

#[tokio::test]
async fn a_reader_follows_without_the_changes_and_ends_with_the_last() {
    let bench = Bench::start().await;
    // Both clients have their connections.
    bench.put("connected", "").await;
    let watched = register(&bench.etcd, "i/a").await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let instances = watch(&bench.etcd).await;
    assert!(tasks() > before);
    let reader = instances.reader();
    drop(instances);
    bench.put("i/b", "v").await;
    let both = soon(reader.wait_for(|map| map.len() == 2)).await.unwrap();
    assert!(both.contains_key(&b"i/b"[..]));
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.wait_for(|map| !map.contains_key(&b"i/a"[..])).await }
    });
    watched.deregister().await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().unwrap().len(), 1);
    drop(reader);
    soon(async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_when_next_is_dropped() {
    const PUTS: usize = 50;
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    tokio::select! {
        biased;
        change = instances.next() => panic!("{change:?}"),
        () = tokio::task::yield_now() => {}
    }
    let puts = (0..PUTS).map(|n| TxnOp::put(format!("i/{n:03}"), "v", None));
    let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
    bench.etcd.txn(txn).await.unwrap();
    let mut received = Vec::new();
    soon(async {
        while received.len() < PUTS {
            tokio::select! {
                biased;
                change = instances.next() => received.push(told(&change.unwrap())),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    let expected: Vec<_> = (0..PUTS).map(|n| format!("+{n:03} v")).collect();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn who_watches_everything_sees_no_companions() {
    let bench = Bench::start().await;
    bench.etcd.put("a", "v", None).await.unwrap();
    let mut instances = Instances::watch(&bench.etcd, "").await.unwrap();
    bench.etcd.put("z", "v", None).await.unwrap();
    for key in ["a", "z"] {
        let change = next(&mut instances).await;
        assert_eq!(&*change.instance().name(), key);
        assert!(change.remote().span_context().is_some(), "{key}");
    }
    assert_eq!(listed(&instances), ["a v", "z v"]);
}

#[tokio::test]
async fn what_is_put_over_with_another_lease_is_an_update() {
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let first = register(&bench.etcd, "i/a").await;
    let second = register(&bench.etcd, "i/a").await;
    first.deregister().await.unwrap();
    let joined = next(&mut instances).await;
    let updated = next(&mut instances).await;
    let (Change::Joined(old), Change::Updated(new)) = (&*joined, &*updated) else {
        panic!("{joined:?} {updated:?}");
    };
    assert_ne!(old.lease(), new.lease());
    assert_eq!(old.create_revision(), new.create_revision());
    second.deregister().await.unwrap();
    assert_eq!(tell(&mut instances, 1).await, ["-a"]);
}
