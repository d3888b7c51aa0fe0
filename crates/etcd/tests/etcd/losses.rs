//! What is in the way of contexts, and what the user sees of it: nothing.

use crate::auth::{login, with_user};
use crate::bench::{Bench, companion};
use crate::changes::{next, trace_id, value, writer};
use crate::tap::Tap;
use dynamo_trace_etcd::LostContexts;
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{
    CompactionOptions, ConnectOptions, GetOptions, Permission, PermissionType, Txn, TxnOp,
    WatchOptions,
};

fn prefix() -> Option<WatchOptions> {
    Some(WatchOptions::new().with_prefix())
}

/// Without what was looked at already.
fn rest(mut lost: LostContexts, without: impl FnOnce(&mut LostContexts)) -> LostContexts {
    without(&mut lost);
    lost
}

/// An etcd that takes values of 10 MiB.
async fn roomy() -> Bench {
    let server = EtcdServer::start_with(&["--max-request-bytes", "10485760"]).await;
    Bench::on(server.unwrap(), |builder| builder).await
}

/// Puts key and companion, as nobody should.
async fn put_with(bench: &Bench, key: &str, beside: Vec<u8>) {
    let txn = Txn::new().and_then([
        TxnOp::put(key, "v", None),
        TxnOp::put(companion(key), beside, None),
    ]);
    bench.plain.kv_client().txn(txn).await.unwrap();
}

#[tokio::test]
async fn what_is_beside_a_key_may_be_anything() {
    const LARGE: usize = 5 << 20;
    let bench = roomy().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let mut changes = etcd.watch("k", prefix()).await.unwrap();
    let mut plain = bench.plain.kv_client();
    for (key, beside) in [
        ("k1", b"garbage".to_vec()),
        ("k2", vec![1; 1 << 20]),
        ("k3", vec![1; LARGE]),
        ("k4", vec![1; 20_000]),
        ("k5", Vec::new()),
    ] {
        put_with(&bench, key, beside).await;
    }
    for _ in 0..5 {
        let change = next(&mut changes).await;
        assert_eq!(value(&change), "v");
        assert!(change.remote().is_empty());
        change.process(async |_| {}).await;
    }
    let expected = LostContexts::default();
    let lost = etcd.lost_contexts();
    assert_eq!((lost.invalid, lost.too_large), (2, 3));
    assert_eq!(
        rest(lost, |lost| (lost.invalid, lost.too_large) = (0, 0)),
        expected
    );
    // A response whose length is too much is not waited for.
    assert!(tap.bytes_read() < 1 << 20, "{}", tap.bytes_read());
    // A deletion looks at the same.
    for key in ["k1", "k2", "k3", "k4", "k5"] {
        plain.delete(key, None).await.unwrap();
        assert!(next(&mut changes).await.remote().is_empty());
    }
    assert!(tap.bytes_read() < 2 << 20, "{}", tap.bytes_read());
}

#[tokio::test]
async fn pairs_come_whatever_is_beside_them() {
    let bench = roomy().await;
    for n in 0..9 {
        put_with(&bench, &format!("k{n}"), vec![1; 8 << 20]).await;
    }
    put_with(&bench, "k9", b"garbage".to_vec()).await;
    let options = || Some(GetOptions::new().with_prefix());
    let plain = bench.plain.kv_client().get("k", options()).await.unwrap();
    let one = bench.etcd.get_with_context("k0", None).await.unwrap();
    assert_eq!(one.kvs()[0].value(), b"v");
    assert_eq!(bench.etcd.lost_contexts().too_large, 1);
    // All of them are more than is read: the pairs alone come.
    let found = bench.etcd.get_with_context("k", options()).await.unwrap();
    assert_eq!(found.kvs().len(), plain.kvs().len());
    assert!(
        found
            .kvs()
            .iter()
            .all(|kv| writer(kv).is_none() && kv.value() == b"v")
    );
    assert_eq!(bench.etcd.lost_contexts().too_large, 11);
    // Nor does a sweep read them.
    let swept = bench.etcd.sweep_companions(dynamo_trace_etcd::Sweep::new());
    assert_eq!(swept.await.unwrap().looked_at, 10);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_by_why() {
    let bench = Bench::start().await;
    let mut plain = bench.plain.kv_client();
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    bench.etcd.put("k", "traced", None).await.unwrap();
    plain.put("k", "foreign", None).await.unwrap();
    assert!(trace_id(&next(&mut changes).await).is_some());
    assert!(next(&mut changes).await.remote().is_empty());
    assert_eq!(bench.etcd.lost_contexts().missing, 1);

    bench.etcd.put("k", "compacted", None).await.unwrap();
    let last = bench.etcd.put("k", "kept", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    let physical = Some(CompactionOptions::new().with_physical());
    plain.compact(revision, physical).await.unwrap();
    let compacted = next(&mut changes).await;
    assert_eq!(value(&compacted), "compacted");
    assert!(compacted.remote().is_empty());
    assert!(trace_id(&next(&mut changes).await).is_some());
    let expected = LostContexts::default();
    let lost = bench.etcd.lost_contexts();
    assert_eq!((lost.missing, lost.compacted), (1, 1));
    assert_eq!(
        rest(lost, |lost| (lost.missing, lost.compacted) = (0, 0)),
        expected
    );

    let tap = Tap::that_never_answers("Range");
    let stuck = bench.tapped(&tap).await;
    let mut changes = stuck.watch("k", None).await.unwrap();
    bench.etcd.put("k", "v", None).await.unwrap();
    assert!(next(&mut changes).await.remote().is_empty());
    assert_eq!(stuck.lost_contexts().late, 1);
}

#[tokio::test]
async fn nobody_wants_to_know_and_nothing_is_lost() {
    let bench = Bench::start().await;
    let changes = bench.etcd.watch("k", None).await.unwrap();
    let mut changes = changes.without_context();
    bench.plain.kv_client().put("k", "v", None).await.unwrap();
    next(&mut changes).await;
    assert_eq!(bench.etcd.lost_contexts(), LostContexts::default());
}

#[tokio::test]
async fn who_may_not_read_companions_stops_asking() {
    let bench = Bench::start().await;
    let more = Permission::new(PermissionType::Write, companion("app/")).with_prefix();
    with_user(&bench.server, "app", Some(more)).await;
    let tap = Tap::default();
    let channel = tap.channel(&bench.server.endpoint());
    let options = ConnectOptions::new().with_user("app", "pw");
    let builder = dynamo_trace_etcd::Client::builder().with_tracer_provider(&bench.provider);
    let app = builder
        .connect_channel(channel, Some(options))
        .await
        .unwrap();
    let writer = login(&bench, "app").await;
    let mut changes = app.watch("app/", prefix()).await.unwrap();
    let before = tap.methods().len();
    for _ in 0..10 {
        writer.put("app/1", "v", None).await.unwrap();
        assert!(next(&mut changes).await.remote().is_empty());
    }
    assert_eq!(tap.methods()[before..], ["Range"; 3]);
    assert_eq!(app.lost_contexts().denied, 10);
    // A read of one's own is made once more without.
    let found = app.get_with_context("app/1", None).await.unwrap();
    assert_eq!(found.kvs()[0].value(), b"v");
    assert_eq!(tap.methods()[before + 3..], ["Txn", "Range"]);
    for _ in 0..3 {
        app.get_with_context("app/1", None).await.unwrap();
    }
    let again = ["Txn", "Range"].repeat(2);
    assert_eq!(
        tap.methods()[before + 5..],
        [&again[..], &["Range"]].concat()
    );
    assert_eq!(app.lost_contexts().denied, 14);
}

#[tokio::test]
async fn who_may_not_touch_the_note_has_all_else() {
    let bench = Bench::start().await;
    let more = Permission::read_write(companion("app/")).with_prefix();
    with_user(&bench.server, "app", Some(more)).await;
    let tap = Tap::default();
    let channel = tap.channel(&bench.server.endpoint());
    let options = ConnectOptions::new().with_user("app", "pw");
    let builder = dynamo_trace_etcd::Client::builder().with_tracer_provider(&bench.provider);
    let deleter = builder.connect_channel(channel, Some(options)).await;
    let deleter = deleter.unwrap();
    let (app, root) = (login(&bench, "app").await, login(&bench, "root").await);
    let mut changes = app.watch("app/", prefix()).await.unwrap();
    let before = tap.methods().len();
    for n in 0..5 {
        let key = format!("app/{n}");
        root.put(&*key, "v", None).await.unwrap();
        assert!(trace_id(&next(&mut changes).await).is_some());
        let deleted = deleter.delete(&*key, None).await.unwrap();
        assert_eq!(deleted.deleted(), 1);
        // Who may not read the note three times asks only for who put the key.
        let change = next(&mut changes).await;
        assert_eq!(trace_id(&change).is_some(), n >= 3, "{n}");
        assert_eq!(root.get(companion(&key), None).await.unwrap().count(), 0);
    }
    assert_eq!(app.lost_contexts().denied, 5);
    let lost = deleter.lost_contexts();
    assert_eq!(lost.companions_left_out, 0);
    // etcd 3.4 does not check what nested transactions put; after it, three refusals are enough.
    let is_checked = root.get(companion(""), None).await.unwrap().count() == 0;
    let (notes, rpcs) = if is_checked { (5, 5 + 3) } else { (0, 5) };
    assert_eq!(lost.notes_left_out, notes);
    assert_eq!(tap.methods().len() - before, rpcs);
}
