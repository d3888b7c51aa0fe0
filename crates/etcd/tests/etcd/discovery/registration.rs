//! What a registration leaves in the store, and takes away.

use super::{TTL, lease, register, registration, soon, until, until_registered};
use crate::bench::{Bench, attribute, companion};
use crate::tap::Tap;
use dynamo_trace_etcd::discovery::{Error, Registration, State};
use opentelemetry::trace::{SpanKind, Status};
use std::time::Duration;

#[tokio::test]
async fn an_instance_stands_under_a_lease_with_its_value_as_it_is() {
    let bench = Bench::start().await;
    let value = b"\xff\0{\"port\": 1}".to_vec();
    let registration = Registration::new(&bench.etcd, "i/a", value.clone());
    let registered = registration.register().await.unwrap();
    let found = bench.etcd.get("i/a", None).await.unwrap();
    let kv = &found.kvs()[0];
    assert_eq!(kv.value(), value);
    assert_eq!(kv.lease(), lease(&registered));
    assert!(bench.has(&companion("i/a")).await);
    let mut leases = bench.plain.lease_client();
    let ttl = leases.time_to_live(kv.lease(), None).await.unwrap();
    let seconds = i64::try_from(Registration::DEFAULT_TTL.as_secs()).unwrap();
    assert_eq!(ttl.granted_ttl(), seconds);
}

#[tokio::test]
async fn it_is_kept_alive() {
    let bench = Bench::start().await;
    let registered = register(&bench.etcd, "i/a").await;
    bench.outlive(TTL).await;
    bench.outlive(TTL).await;
    assert!(bench.has("i/a").await);
    assert!(matches!(
        registered.state(),
        State::Registered { count: 1, .. }
    ));
    // Keep-alives make no spans.
    let names: Vec<_> = bench.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["LeaseGrant", "Put", "register instance"]);
}

#[tokio::test]
async fn deregistered_it_is_gone_at_once() {
    let bench = Bench::start().await;
    let registration = Registration::new(&bench.etcd, "i/a", "v");
    let registered = registration.register().await.unwrap();
    let (lease, mut states) = (lease(&registered), registered.states());
    soon(registered.deregister()).await.unwrap();
    assert!(!bench.has("i/a").await);
    assert!(!bench.has(&companion("i/a")).await);
    assert!(!bench.has_lease(lease).await);
    // The task has ended.
    soon(async { while states.changed().await.is_ok() {} }).await;
    assert_eq!(bench.span("LeaseRevoke").status, Status::Unset);
}

#[tokio::test]
async fn dropped_it_is_gone_soon_and_without_a_span() {
    let bench = Bench::start().await;
    let registration =
        Registration::new(&bench.etcd, "i/a", "v").with_ttl(Duration::from_secs(600));
    let registered = registration.register().await.unwrap();
    let mut changes = bench.etcd.watch("i/a", None).await.unwrap();
    let mut states = registered.states();
    drop(registered);
    let gone = soon(changes.next()).await.unwrap().unwrap();
    assert_eq!(gone.kv().unwrap().version(), 0);
    soon(async { while states.changed().await.is_ok() {} }).await;
    assert!(bench.spans().iter().all(|span| span.name != "LeaseRevoke"));
}

#[tokio::test]
async fn a_lease_that_is_gone_is_no_failure_at_the_end() {
    let bench = Bench::start().await;
    let registration = Registration::new(&bench.etcd, "i/a", "v");
    let registered = registration.register().await.unwrap();
    bench.revoke(lease(&registered)).await;
    soon(registered.deregister()).await.unwrap();
}

#[tokio::test]
async fn of_two_instances_the_last_one_stands_there_and_the_first_takes_nothing_away() {
    let bench = Bench::start().await;
    let first = register(&bench.etcd, "i/a").await;
    let second = Registration::new(&bench.etcd, "i/a", "w");
    let second = second.register().await.unwrap();
    first.deregister().await.unwrap();
    let stored = bench.stored("i/").await;
    let [(_, value, lease_now, _)] = &stored[..] else {
        panic!("{stored:?}");
    };
    assert_eq!((&**value, *lease_now), ("w", lease(&second)));
    second.deregister().await.unwrap();
    assert!(bench.stored("").await.is_empty());
}

#[tokio::test]
async fn an_exclusive_one_finds_its_place_taken() {
    let bench = Bench::start().await;
    let first = registration(&bench.etcd, "i/a").exclusive();
    let first = first.register().await.unwrap();
    let second = || registration(&bench.etcd, "i/a").exclusive().register();
    assert!(matches!(second().await, Err(Error::Taken)));
    assert_eq!(
        attribute(&bench.spans().pop().unwrap(), "error.type").as_deref(),
        Some("taken")
    );
    // It leaves no lease behind.
    let mut leases = bench.plain.lease_client();
    assert_eq!(leases.leases().await.unwrap().leases().len(), 1);
    first.update("w").await.unwrap();
    assert_eq!(bench.stored("i/").await[0].1, "w");
    first.deregister().await.unwrap();
    second().await.unwrap().deregister().await.unwrap();
}

#[tokio::test]
async fn an_exclusive_one_that_lost_its_place_waits_for_it() {
    let bench = Bench::start().await;
    let registered = registration(&bench.etcd, "i/a").exclusive();
    let registered = registered.register().await.unwrap();
    bench.put("i/a", "other").await;
    let refused = soon(registered.update("w")).await;
    assert!(matches!(refused, Err(Error::Taken)), "{refused:?}");
    bench.revoke(lease(&registered)).await;
    let is_taken = |state: &State| match state {
        State::Lost { error } => matches!(**error, Error::Taken),
        _ => false,
    };
    until(&registered, is_taken).await;
    assert_eq!(bench.stored("i/").await[0].1, "other");
    // For longer than a lease lives that it was granted meanwhile.
    bench.outlive(TTL).await;
    bench.outlive(TTL).await;
    bench.plain.kv_client().delete("i/a", None).await.unwrap();
    until_registered(&registered, 2).await;
    assert_eq!(bench.stored("i/").await[0].1, "v");
}

#[tokio::test]
async fn an_update_is_put_with_the_lease_and_stays() {
    let bench = Bench::start().await;
    let registered = register(&bench.etcd, "i/a").await;
    registered.update("w").await.unwrap();
    let stored = bench.stored("i/").await;
    assert_eq!((&*stored[0].1, stored[0].2), ("w", lease(&registered)));
    bench.revoke(stored[0].2).await;
    let lease = until_registered(&registered, 2).await;
    let stored = bench.stored("i/").await;
    assert_eq!((&*stored[0].1, stored[0].2), ("w", lease));
}

#[tokio::test]
async fn an_update_that_finds_the_lease_gone_registers_anew() {
    let bench = Bench::start().await;
    // Its keep-alive would not find that for minutes.
    let registration =
        Registration::new(&bench.etcd, "i/a", "v").with_ttl(Duration::from_secs(600));
    let registered = registration.register().await.unwrap();
    bench.revoke(lease(&registered)).await;
    soon(registered.update("w")).await.unwrap();
    let lease = until_registered(&registered, 2).await;
    let stored = bench.stored("i/").await;
    assert_eq!((&*stored[0].1, stored[0].2), ("w", lease));
}

#[tokio::test]
async fn an_update_that_is_refused_is_forgotten() {
    let bench = Bench::start().await;
    let registration =
        Registration::new(&bench.etcd, "i/a", "v").with_ttl(Duration::from_secs(600));
    let registered = registration.register().await.unwrap();
    // Larger than etcd takes.
    let too_large = || registered.update(vec![0; 1_900_000]);
    assert!(matches!(soon(too_large()).await, Err(Error::Etcd(_))));
    assert!(registered.state().is_registered());
    bench.revoke(lease(&registered)).await;
    // Whether it is refused for its size or for its lease, the old value is registered.
    soon(too_large()).await.unwrap_err();
    soon(registered.update("w")).await.unwrap();
    until_registered(&registered, 2).await;
    assert_eq!(bench.stored("i/").await[0].1, "w");
}

#[tokio::test]
async fn a_server_that_does_not_answer_keep_alives_is_reported() {
    let bench = Bench::start().await;
    let etcd = bench
        .tapped(&Tap::that_never_answers("LeaseKeepAlive"))
        .await;
    let registered = register(&etcd, "i/a").await;
    let unanswered = |error: &Error| matches!(error, Error::Unanswered(_));
    until(&registered, |state| match state {
        State::Unconfirmed { error } => unanswered(error),
        _ => false,
    })
    .await;
    // After the time to live it has to be taken for lost.
    until(&registered, |state| match state {
        State::Lost { error } => unanswered(error),
        _ => false,
    })
    .await;
    soon(registered.deregister()).await.unwrap();
}

#[tokio::test]
async fn a_registration_is_one_span_over_its_calls() {
    let bench = Bench::start().await;
    let registration = registration(&bench.etcd, "i/secret").with_destination("instances");
    let registered = registration.register().await.unwrap();
    let span = bench.span("register instances");
    assert_eq!(span.span_kind, SpanKind::Internal);
    for (name, value) in [
        ("db.system.name", "etcd"),
        ("dynamo_trace.etcd.registration.count", "1"),
    ] {
        assert_eq!(attribute(&span, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(span.attributes.len(), 2);
    for call in ["LeaseGrant", "Put"] {
        assert_eq!(bench.span(call).parent_span_id, span.span_context.span_id());
    }
    drop(registered);
    assert!(!format!("{:?}", bench.spans()).contains("secret"));
}
