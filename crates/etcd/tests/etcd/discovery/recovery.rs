//! Leases that vanish, servers that go away, and what was missed meanwhile.

use super::cut::Cut;
use super::{
    lease, listed, register, registration, soon, tell, told, until, until_registered, watch,
};
use crate::bench::Bench;
use dynamo_trace_etcd::discovery::{Error, Instance, Registration, State};
use etcd_client::CompactionOptions;
use std::process::Command;
use std::time::Duration;

#[tokio::test]
async fn a_lease_that_is_revoked_is_replaced_and_watchers_see_both() {
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let registered = register(&bench.etcd, "i/a").await;
    let first = lease(&registered);
    let mut states = registered.states();
    states.mark_unchanged();
    bench.revoke(first).await;
    soon(states.changed()).await.unwrap();
    let second = until_registered(&registered, 2).await;
    assert_ne!(first, second);
    assert_eq!(tell(&mut instances, 3).await, ["+a v", "-a", "+a v"]);
    assert_eq!(instances.get("i/a").unwrap().lease(), second);
    // The new one is kept alive like the old one.
    bench.outlive(super::TTL).await;
    bench.outlive(super::TTL).await;
    assert_eq!(lease(&registered), second);
    assert!(bench.has("i/a").await);
}

#[tokio::test]
async fn both_recover_when_the_server_is_started_again() {
    let mut bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let registered = register(&bench.etcd, "i/a").await;
    assert_eq!(tell(&mut instances, 1).await, ["+a v"]);
    bench.server.process().kill();
    until(&registered, |state| matches!(state, State::Lost { .. })).await;
    soon(async {
        while instances.error().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What was known stays known.
    assert_eq!(listed(&instances), ["a v"]);
    bench.server.restart().await.unwrap();
    until(&registered, State::is_registered).await;
    bench.put("i/b", "v").await;
    soon(instances.wait_for(|map| map.len() == 2))
        .await
        .unwrap();
    assert!(instances.error().is_none());
    // A server that still has the lease: the instance never left.
    if matches!(registered.state(), State::Registered { count: 1, .. }) {
        assert_eq!(tell(&mut instances, 1).await, ["+b v"]);
    }
    bench.outlive(super::TTL).await;
    assert!(bench.has("i/a").await);
    soon(registered.deregister()).await.unwrap();
}

#[tokio::test]
async fn a_registration_that_was_cut_off_for_longer_than_its_lease_registers_anew() {
    let bench = Bench::start().await;
    let cut = Cut::to(bench.server.endpoint()).await;
    let etcd = bench.client_at(cut.endpoint()).await;
    let mut instances = watch(&bench.etcd).await;
    let registered = register(&etcd, "i/a").await;
    cut.cut();
    until(&registered, |state| {
        matches!(state, State::Unconfirmed { .. })
    })
    .await;
    until(&registered, |state| matches!(state, State::Lost { .. })).await;
    assert_eq!(tell(&mut instances, 2).await, ["+a v", "-a"]);
    cut.mend();
    until_registered(&registered, 2).await;
    assert_eq!(tell(&mut instances, 1).await, ["+a v"]);
}

#[tokio::test]
async fn a_registration_that_was_cut_off_for_a_moment_stays() {
    let bench = Bench::start().await;
    let cut = Cut::to(bench.server.endpoint()).await;
    let etcd = bench.client_at(cut.endpoint()).await;
    let registration = registration(&etcd, "i/a").with_ttl(Duration::from_secs(9));
    let registered = registration.register().await.unwrap();
    let before = lease(&registered);
    cut.cut();
    until(&registered, |state| {
        matches!(state, State::Unconfirmed { .. })
    })
    .await;
    cut.mend();
    assert_eq!(until_registered(&registered, 1).await, before);
    assert_eq!(bench.stored("i/").await[0].2, before);
}

#[tokio::test]
async fn what_changed_while_the_watch_was_cut_off_is_told_once() {
    for compacted in [false, true] {
        let bench = Bench::start().await;
        let cut = Cut::to(bench.server.endpoint()).await;
        let etcd = bench.client_at(cut.endpoint()).await;
        for key in ["i/gone", "i/same", "i/put", "i/again"] {
            bench.etcd.put(key, "v", None).await.unwrap();
        }
        let mut instances = watch(&etcd).await;
        tell(&mut instances, 4).await;
        let kept = instances.get("i/same").unwrap();
        cut.cut();
        for key in ["i/gone", "i/again"] {
            bench.plain.kv_client().delete(key, None).await.unwrap();
        }
        bench.etcd.put("i/put", "w", None).await.unwrap();
        for value in ["1", "2"] {
            bench.etcd.put("i/again", value, None).await.unwrap();
        }
        bench.etcd.put("i/mayfly", "v", None).await.unwrap();
        bench
            .plain
            .kv_client()
            .delete("i/mayfly", None)
            .await
            .unwrap();
        let last = bench.put("i/new", "v").await;
        if compacted {
            let physical = Some(CompactionOptions::new().with_physical());
            bench
                .plain
                .kv_client()
                .compact(last, physical)
                .await
                .unwrap();
        }
        cut.mend();
        let mut changes = Vec::new();
        for _ in 0..5 {
            changes.push(super::next(&mut instances).await);
        }
        let all: Vec<_> = changes.iter().map(|change| told(change)).collect();
        assert_eq!(all, ["-again", "-gone", "=put w", "+again 2", "+new v"]);
        // Each with the context of who put it, where there is one.
        let known: Vec<_> = changes
            .iter()
            .map(|c| c.remote().span_context().is_some())
            .collect();
        assert_eq!(known, [true, true, true, true, false]);
        assert!(changes[2].instance().noticed_after().is_some());
        assert!(std::sync::Arc::ptr_eq(
            &kept,
            &instances.get("i/same").unwrap()
        ));
        assert_eq!(listed(&instances), ["again 2", "new v", "put w", "same v"]);
        // And it goes on from there.
        bench.put("i/last", "v").await;
        assert_eq!(tell(&mut instances, 1).await, ["+last v"]);
    }
}

#[tokio::test]
async fn what_was_not_yet_taken_is_not_lost_by_a_cut() {
    let bench = Bench::start().await;
    let cut = Cut::to(bench.server.endpoint()).await;
    let etcd = bench.client_at(cut.endpoint()).await;
    let mut instances = watch(&etcd).await;
    bench.put("i/a", "v").await;
    bench.plain.kv_client().delete("i/a", None).await.unwrap();
    bench.put("i/b", "v").await;
    soon(instances.wait_for(|map| map.contains_key(&b"i/b"[..])))
        .await
        .unwrap();
    cut.cut();
    bench.put("i/c", "v").await;
    cut.mend();
    assert_eq!(
        tell(&mut instances, 4).await,
        ["+a v", "-a", "+b v", "+c v"]
    );
}

#[tokio::test]
async fn a_registration_can_end_while_it_is_cut_off() {
    let bench = Bench::start().await;
    let cut = Cut::to(bench.server.endpoint()).await;
    let etcd = bench.client_at(cut.endpoint()).await;
    let registered = Registration::new(&etcd, "i/a", "v").with_ttl(super::TTL);
    let registered = registered.register().await.unwrap();
    let mut changes = bench.etcd.watch("i/a", None).await.unwrap();
    cut.cut();
    soon(registered.deregister()).await.unwrap_err();
    // It expires.
    let gone = soon(changes.next()).await.unwrap().unwrap();
    assert_eq!(gone.kv().unwrap().version(), 0);
}

#[tokio::test]
async fn a_server_that_is_silent_for_a_while_is_waited_for() {
    let mut bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let registered = register(&bench.etcd, "i/a").await;
    assert_eq!(tell(&mut instances, 1).await, ["+a v"]);
    bench.server.process().pause().unwrap();
    let is_unanswered = |state: &State| match state {
        State::Lost { error } => matches!(**error, Error::Unanswered(_)),
        _ => false,
    };
    until(&registered, is_unanswered).await;
    let server = bench.server.process().id().to_string();
    let resumed = Command::new("kill").args(["-CONT", &server]).status();
    assert!(resumed.unwrap().success());
    until(&registered, State::is_registered).await;
    // It may have left meanwhile; it is there in the end.
    let lease = lease(&registered);
    let is_there = |instance: &std::sync::Arc<Instance>| instance.lease() == lease;
    soon(instances.wait_for(|map| map.values().any(is_there)))
        .await
        .unwrap();
    soon(registered.deregister()).await.unwrap();
}
