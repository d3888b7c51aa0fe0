//! Watches that go on when they break.

use crate::auth::with_user;
use crate::bench::Bench;
use crate::changes::{key, next, trace_id, value};
use crate::tap::Tap;
use dynamo_trace_etcd::{Client, Error, Watcher};
use etcd_client::{CompactionOptions, ConnectOptions, Txn, TxnOp, WatchOptions};
use std::time::Duration;

fn prefix() -> WatchOptions {
    WatchOptions::new().with_prefix()
}

/// The error that a watch ends with.
async fn end(changes: &mut Watcher) -> Error {
    let end = tokio::time::timeout(Duration::from_secs(30), changes.next());
    end.await.unwrap().unwrap().unwrap_err()
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_repeated_when_the_server_goes_away() {
    let mut bench = Bench::start().await;
    let mut changes = bench
        .etcd
        .watch_resuming("k", Some(prefix()))
        .await
        .unwrap();
    let mut plain = bench.etcd.watch("k", Some(prefix())).await.unwrap();
    for round in 0..3 {
        for n in 0..5 {
            bench
                .etcd
                .put(format!("k{round}{n}"), "v", None)
                .await
                .unwrap();
        }
        // Some have been received, others not.
        for n in 0..round {
            let change = next(&mut changes).await;
            assert_eq!(key(&change), format!("k{round}{n}"));
            assert!(trace_id(&change).is_some());
        }
        bench.server.restart().await.unwrap();
        for n in 5..8 {
            let mut kv = bench.plain.kv_client();
            while kv.put(format!("k{round}{n}"), "v", None).await.is_err() {}
        }
        for n in round..8 {
            let change = next(&mut changes).await;
            assert_eq!(key(&change), format!("k{round}{n}"));
            // The server may have gone before the context was read.
            assert!(n < 5 || trace_id(&change).is_none());
        }
        assert!(changes.times_resumed() > round);
    }
    // One that does not resume ends, as etcd-client's does.
    let mut ended = false;
    while let Some(change) = plain.next().await {
        ended = change.is_err();
    }
    assert!(ended);
    assert_eq!(plain.times_resumed(), 0);
}

#[tokio::test]
async fn a_watch_of_which_nothing_came_yet_goes_on_from_its_start() {
    let mut bench = Bench::start().await;
    let mut kv = bench.plain.kv_client();
    let first = kv.put("k", "first", None).await.unwrap();
    let revision = first.header().unwrap().revision();
    let mut now = bench.etcd.watch_resuming("k", None).await.unwrap();
    let future = WatchOptions::new().with_start_revision(revision + 2);
    let mut future = bench.etcd.watch_resuming("k", Some(future)).await.unwrap();
    bench.server.restart().await.unwrap();
    for value in ["second", "third"] {
        while kv.put("k", value, None).await.is_err() {}
    }
    assert_eq!(value(&next(&mut now).await), "second");
    assert_eq!(value(&next(&mut now).await), "third");
    assert_eq!(value(&next(&mut future).await), "third");
}

#[tokio::test]
async fn a_revision_that_is_cut_off_is_completed() {
    const KEYS: usize = 60;
    let bench = Bench::start().await;
    let values: [String; 3] = ["a", "b", "c"].map(|letter| letter.repeat(20_000));
    for value in &values {
        let puts = (0..KEYS).map(|n| TxnOp::put(format!("k{n:02}"), &**value, None));
        let txn = Txn::new().and_then(puts.collect::<Vec<_>>());
        bench.plain.kv_client().txn(txn).await.unwrap();
    }
    // With the values before, a revision is more than etcd sends at once.
    for cut in [1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000] {
        let tap = Tap::that_cuts(cut);
        let etcd = bench
            .tapped_with(&tap, |builder| builder.without_companions())
            .await;
        let options = prefix()
            .with_prev_key()
            .with_fragment()
            .with_start_revision(2);
        let mut changes = etcd.watch_resuming("k", Some(options)).await.unwrap();
        for value_of in &values {
            for n in 0..KEYS {
                let change = next(&mut changes).await;
                assert_eq!(key(&change), format!("k{n:02}"), "{cut}");
                assert!(value(&change) == *value_of, "{cut}");
            }
        }
        assert!(tap.was_cut());
        assert_eq!(changes.times_resumed(), 1);
    }
}

#[tokio::test]
async fn what_was_compacted_meanwhile_is_an_error() {
    let mut bench = Bench::start().await;
    let mut changes = bench.etcd.watch_resuming("k", None).await.unwrap();
    bench.server.restart().await.unwrap();
    let mut kv = bench.plain.kv_client();
    while kv.put("k", "lost", None).await.is_err() {}
    let last = kv.put("k", "kept", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    let physical = Some(CompactionOptions::new().with_physical());
    kv.compact(revision, physical).await.unwrap();
    let failed = end(&mut changes).await;
    assert!(matches!(failed, Error::WatchError(_)), "{failed:?}");
    assert_eq!(changes.compact_revision(), Some(revision));
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn it_ends_when_it_is_cancelled_also_while_there_is_no_server() {
    let mut bench = Bench::start().await;
    let mut changes = bench.etcd.watch_resuming("k", None).await.unwrap();
    bench.etcd.put("k", "v", None).await.unwrap();
    let mut gone = bench.etcd.watch_resuming("k", None).await.unwrap();
    changes.cancel().await.unwrap();
    assert_eq!(value(&next(&mut changes).await), "v");
    assert!(changes.next().await.is_none());
    assert_eq!(changes.times_resumed(), 0);
    bench.server.process().kill();
    while gone.times_resumed() == 0 {
        tokio::select! {
            biased;
            change = gone.next() => panic!("{change:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    gone.cancel().await.unwrap();
    assert!(gone.next().await.is_none());
}

#[tokio::test]
async fn a_token_that_the_server_forgot_is_renewed() {
    let mut bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    let options = ConnectOptions::new().with_user("app", "pw");
    let options = options.with_auto_token_refresh(true);
    let builder = Client::builder().with_tracer_provider(&bench.provider);
    let endpoint = [bench.server.endpoint()];
    let app = builder.connect(endpoint, Some(options)).await.unwrap();
    let mut changes = app.watch_resuming("app/", Some(prefix())).await.unwrap();
    let mut other = app.watch_resuming("app/", Some(prefix())).await.unwrap();
    // With its password a user loses its tokens, also where that stays the same.
    let root = crate::auth::login(&bench, "root").await;
    let mut auth = root.auth_client();
    auth.user_change_password("app", "pw").await.unwrap();
    bench.server.restart().await.unwrap();
    // It is the watches that renew it: nobody else uses it.
    let writer = crate::auth::login(&bench, "app").await;
    writer.put("app/1", "v", None).await.unwrap();
    for changes in [&mut changes, &mut other] {
        assert_eq!(value(&next(changes).await), "v");
        assert!(changes.times_resumed() > 0);
    }
}

#[tokio::test]
async fn a_right_that_was_taken_away_is_an_error() {
    let mut bench = Bench::start().await;
    with_user(&bench.server, "app", None).await;
    for renews in [true, false] {
        let options = ConnectOptions::new().with_user("app", "pw");
        let options = options.with_auto_token_refresh(renews);
        let builder = Client::builder().with_tracer_provider(&bench.provider);
        let endpoint = [bench.server.endpoint()];
        let app = builder.connect(endpoint, Some(options)).await.unwrap();
        let root = crate::auth::login(&bench, "root").await;
        let watch = app.watch_resuming("app/", Some(prefix()));
        let mut changes = watch.await.unwrap();
        let mut auth = root.auth_client();
        auth.user_revoke_role("app", "app").await.unwrap();
        bench.server.restart().await.unwrap();
        end(&mut changes).await;
        assert!(changes.next().await.is_none());
        let root = crate::auth::login(&bench, "root").await;
        let mut auth = root.auth_client();
        auth.user_grant_role("app", "app").await.unwrap();
    }
}
