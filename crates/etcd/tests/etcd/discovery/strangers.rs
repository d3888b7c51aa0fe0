//! What others write, and what is not allowed.

use super::{listed, next, soon, tell, watch};
use crate::auth::{login, with_user};
use crate::bench::{Bench, companion};
use dynamo_trace_etcd::Error;
use dynamo_trace_etcd::discovery::{self, Change, Instances, Registration};
use etcd_client::{Permission, Txn, TxnOp};
use opentelemetry::trace::Status;
use tonic::Code;

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn keys_and_values_of_any_bytes_are_instances() {
    let bench = Bench::start().await;
    let mut kv = bench.plain.kv_client();
    let keys = [
        &b"i/"[..],
        b"i/\0",
        b"i/\xff\xff",
        b"i/a/b",
        "i/\u{1f980}".as_bytes(),
    ];
    kv.put(keys[1], b"\0\xff".to_vec(), None).await.unwrap();
    let mut instances = watch(&bench.etcd).await;
    for key in keys {
        kv.put(key, b"\0\xff".to_vec(), None).await.unwrap();
    }
    for key in [&keys[1..2], &keys].concat() {
        let change = next(&mut instances).await;
        assert_eq!(change.key(), key);
        assert_eq!(&change.instance().value()[..], b"\0\xff");
    }
    assert_eq!(instances.get(keys[2]).unwrap().name(), "\u{fffd}\u{fffd}");
    // A prefix that has no successor.
    kv.put(b"\xff\xff", "v", None).await.unwrap();
    let last = Instances::watch(&bench.etcd, b"\xff").await.unwrap();
    assert_eq!(last.snapshot().len(), 1);
}

#[tokio::test]
async fn companions_that_others_left_are_not_believed() {
    let bench = Bench::start().await;
    let mut live = watch(&bench.etcd).await;
    let besides = [
        b"garbage".to_vec(),
        vec![1; 100_000],
        vec![9; 80],
        Vec::new(),
    ];
    for (n, beside) in besides.into_iter().enumerate() {
        let key = format!("i/{n}");
        let txn = Txn::new().and_then([
            TxnOp::put(&*key, "v", None),
            TxnOp::put(companion(&key), beside, None),
        ]);
        bench.plain.kv_client().txn(txn).await.unwrap();
    }
    // One whose value somebody wrote over, and one of a key that is not there.
    bench.etcd.put("i/4", "traced", None).await.unwrap();
    bench.put("i/4", "over").await;
    bench.put(&companion("i/none"), "x").await;
    let mut found = watch(&bench.etcd).await;
    assert_eq!(listed(&found), ["0 v", "1 v", "2 v", "3 v", "4 over"]);
    for _ in 0..5 {
        assert!(next(&mut found).await.remote().is_empty());
    }
    for known in [false, false, false, false, true, false] {
        let change = next(&mut live).await;
        assert_eq!(
            change.remote().span_context().is_some(),
            known,
            "{change:?}"
        );
    }
    // The last writer of what leaves is not the one before.
    bench.plain.kv_client().delete("i/4", None).await.unwrap();
    let left = next(&mut live).await;
    assert!(matches!(&*left, Change::Left(_)) && left.remote().is_empty());
}

#[tokio::test]
async fn a_time_that_lies_ahead_is_no_delay() {
    use dynamo_trace_core::{ContextBlockBuf, Field};
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    for time in ["99999999999999", "18446744073709551615", "-1", "soon"] {
        let mut block = ContextBlockBuf::default();
        let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        block.append(Field::TraceParent, parent);
        block.append(Field::Other("t"), time.as_bytes());
        let txn = Txn::new().and_then([
            TxnOp::put("i/a", time, None),
            TxnOp::put(companion("i/a"), block.as_bytes(), None),
        ]);
        bench.plain.kv_client().txn(txn).await.unwrap();
        let change = next(&mut instances).await;
        assert_eq!(change.instance().noticed_after(), None, "{time}");
        assert!(change.remote().span_context().is_some());
    }
}

#[tokio::test]
async fn who_may_not_register_is_told_and_leaves_no_lease() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let denied = Registration::new(&app, "other/1", "v").register().await;
    let Err(discovery::Error::Etcd(error)) = denied else {
        panic!("{denied:?}");
    };
    assert!(is_denied(&error));
    let span = bench.span("register instance");
    assert_eq!(span.status, Status::error(""));
    let root = login(&bench, "root").await;
    let leases = root.lease_client().leases().await.unwrap();
    assert!(leases.leases().is_empty());
    // What it may, it does; its puts with a lease have no companion.
    let registered = Registration::new(&app, "app/1", "v")
        .register()
        .await
        .unwrap();
    soon(registered.update("w")).await.unwrap();
    soon(registered.deregister()).await.unwrap();
    let exclusive = Registration::new(&app, "app/1", "v").exclusive();
    soon(exclusive.register())
        .await
        .unwrap()
        .deregister()
        .await
        .unwrap();
}

#[tokio::test]
async fn who_may_not_watch_is_told() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let error = Instances::watch(&app, "other/").await.unwrap_err();
    assert!(is_denied(&error), "{error}");
}

#[tokio::test]
async fn who_may_not_read_companions_sees_instances_without_contexts() {
    let bench = Bench::start().await;
    bench.etcd.put("app/1", "v", None).await.unwrap();
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let root = login(&bench, "root").await;
    let mut instances = Instances::watch(&app, "app/").await.unwrap();
    root.put("app/2", "v", None).await.unwrap();
    assert_eq!(tell(&mut instances, 1).await, ["+1 v"]);
    let joined = next(&mut instances).await;
    assert_eq!(&*joined.instance().name(), "2");
    assert!(joined.remote().is_empty());
}

#[tokio::test]
async fn a_watch_whose_user_is_shut_out_says_so_and_comes_back() {
    let bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let app = login(&bench, "app").await;
    let root = login(&bench, "root").await;
    let cut = super::cut::Cut::to(bench.server.endpoint()).await;
    let options = etcd_client::ConnectOptions::new().with_user("app", "pw");
    let builder = dynamo_trace_etcd::Client::builder().with_tracer_provider(&bench.provider);
    let by_way = builder
        .connect([cut.endpoint()], Some(options))
        .await
        .unwrap();
    let mut instances = Instances::watch(&by_way, "app/").await.unwrap();
    cut.cut();
    let mut auth = root.auth_client();
    auth.role_revoke_permission(
        "app",
        "app/",
        Some(etcd_client::RoleRevokePermissionOptions::new().with_prefix()),
    )
    .await
    .unwrap();
    cut.mend();
    soon(async {
        while !instances.error().is_some_and(|error| is_denied(&error)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let again = Permission::read_write("app/").with_prefix();
    auth.role_grant_permission("app", again).await.unwrap();
    app.put("app/1", "v", None).await.unwrap();
    assert_eq!(tell(&mut instances, 1).await, ["+1 v"]);
    assert!(instances.error().is_none());
}
