//! Users who may not write companions, or not read them.

use crate::bench::{Bench, companion, plain};
use crate::tap::Tap;
use dynamo_trace_etcd::{Client, Error};
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{
    ConnectOptions, LeaseGrantOptions, Permission, PermissionType, PutOptions, Txn, TxnOp,
    WatchOptions,
};
use tonic::Code;

/// `user` may read and write `app/`, and has `more`.
pub(crate) async fn with_user(server: &EtcdServer, user: &str, more: Option<Permission>) {
    let mut admin = plain(server).await;
    admin.role_add(user).await.unwrap();
    let app = Permission::read_write("app/").with_prefix();
    admin.role_grant_permission(user, app).await.unwrap();
    if let Some(more) = more {
        admin.role_grant_permission(user, more).await.unwrap();
    }
    for (name, role) in [("root", "root"), (user, user)] {
        admin.user_add(name, "pw", None).await.unwrap();
        if role == "root" {
            admin.role_add(role).await.unwrap();
        }
        admin.user_grant_role(name, role).await.unwrap();
    }
    admin.auth_enable().await.unwrap();
}

pub(crate) async fn login(bench: &Bench, user: &str) -> Client {
    let options = ConnectOptions::new().with_user(user, "pw");
    Client::builder()
        .with_tracer_provider(&bench.provider)
        .connect([bench.server.endpoint()], Some(options))
        .await
        .unwrap()
}

#[tokio::test]
async fn who_may_not_write_companions_writes_without() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let put = app.put("app/1", "v", None).await.unwrap();
    assert!(put.header().unwrap().member_id() != 0);
    assert_eq!(app.companions_left_out(), 1);
    let root = login(&bench, "root").await;
    assert_eq!(root.get("app/1", None).await.unwrap().count(), 1);
    assert_eq!(root.get(companion("app/1"), None).await.unwrap().count(), 0);
    let deleted = app.delete("app/1", None).await.unwrap();
    assert_eq!(deleted.deleted(), 1);

    // One span for the call, and it is no failure.
    let span = bench.span("Put");
    assert_eq!(span.status, opentelemetry::trace::Status::Unset);
}

#[tokio::test]
async fn who_is_refused_companions_stops_trying() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let tap = Tap::default();
    let channel = tap.channel(&bench.server.endpoint());
    let options = ConnectOptions::new().with_user("app", "pw");
    let builder = Client::builder().with_tracer_provider(&bench.provider);
    let app = builder
        .connect_channel(channel, Some(options))
        .await
        .unwrap();
    // A write that is refused by itself says nothing of companions.
    for _ in 0..5 {
        app.put("other/1", "v", None).await.unwrap_err();
    }
    let before = tap.methods().len();
    for _ in 0..10 {
        app.put("app/1", "v", None).await.unwrap();
    }
    app.delete("app/1", None).await.unwrap();
    let tried = ["Txn", "Put"].repeat(3);
    let rest = ["Put"].repeat(7);
    let expected = [tried, rest, vec!["DeleteRange"]].concat();
    assert_eq!(tap.methods()[before..], expected);
    assert_eq!(app.companions_left_out(), 11);
}

#[tokio::test]
async fn companions_open_nothing_that_is_closed() {
    let bench = Bench::start().await;
    // May only write, and companions too.
    let mut admin = plain(&bench.server).await;
    admin.role_add("writer").await.unwrap();
    for prefix in ["w/".to_owned(), companion("w/")] {
        let write = Permission::new(PermissionType::Write, prefix).with_prefix();
        admin.role_grant_permission("writer", write).await.unwrap();
    }
    admin.user_add("writer", "pw", None).await.unwrap();
    admin.user_grant_role("writer", "writer").await.unwrap();
    with_user(&bench.server, "app", None).await;
    let (root, writer) = (login(&bench, "root").await, login(&bench, "writer").await);
    root.put("w/1", "secret", None).await.unwrap();
    root.lease_grant(600, Some(LeaseGrantOptions::new().with_id(5)))
        .await
        .unwrap();
    let leased = || Some(PutOptions::new().with_lease(5));
    root.put("other/1", "v", leased()).await.unwrap();
    let previous = Some(PutOptions::new().with_prev_key());
    for options in [previous, leased()] {
        let denied = writer.put("w/1", "v", options).await;
        assert!(
            matches!(&denied, Err(Error::GRpcStatus(status)) if status.code() == Code::PermissionDenied),
            "{denied:?}"
        );
    }
    writer.put("w/2", "v", None).await.unwrap();
    let beside = root.get(companion("w/2"), None).await.unwrap();
    assert_eq!(beside.count(), 1);
}

#[tokio::test]
async fn companions_close_no_lease_to_others() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let root = login(&bench, "root").await;
    let lease = root.lease_grant(600, None).await.unwrap().id();
    let leased = || Some(PutOptions::new().with_lease(lease));
    root.put("app/1", "v", leased()).await.unwrap();
    let put = TxnOp::put("app/2", "v", leased());
    root.txn(Txn::new().and_then([put])).await.unwrap();
    let options = ConnectOptions::new().with_user("app", "pw");
    let endpoints = [bench.server.endpoint()];
    let mut app = etcd_client::Client::connect(endpoints, Some(options))
        .await
        .unwrap();
    app.put("app/3", "v", leased()).await.unwrap();
    app.lease_revoke(lease).await.unwrap();
}

#[tokio::test]
async fn who_may_not_write_the_key_sees_so() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let denied = app.put("other/1", "v", None).await;
    let Err(Error::GRpcStatus(status)) = denied else {
        panic!("not refused: {denied:?}");
    };
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(app.companions_left_out(), 0);
    let refused = app.watch("other/1", None).await;
    assert!(matches!(&refused, Err(Error::WatchError(why)) if why.contains("permission denied")));
}

#[tokio::test]
async fn who_may_not_read_companions_has_changes_without_context() {
    let bench = Bench::start().await;
    let more = Permission::new(PermissionType::Write, companion("app/")).with_prefix();
    with_user(&bench.server, "app", Some(more)).await;
    let app = login(&bench, "app").await;
    let options = WatchOptions::new().with_prefix();
    let mut changes = app.watch("app/", Some(options)).await.unwrap();
    app.put("app/1", "v", None).await.unwrap();
    assert_eq!(app.companions_left_out(), 0);
    let change = changes.next().await.unwrap().unwrap();
    assert!(change.remote().is_empty());
    assert_eq!(change.kv().unwrap().value(), b"v");
}
