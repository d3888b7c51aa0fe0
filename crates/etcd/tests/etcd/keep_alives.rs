//! Keep-alives that failed are counted; their spans are of the opening alone.

use crate::bench::Bench;
use dynamo_trace_etcd::{Error, KeepAliveFailures};

fn counted(failures: KeepAliveFailures) -> (u64, u64) {
    (failures.gone, failures.broken)
}

#[tokio::test]
async fn a_lease_that_is_gone_is_counted_and_one_that_lives_is_not() {
    let bench = Bench::start().await;
    let etcd = &bench.etcd;
    let lease = etcd.lease_grant(600, None).await.unwrap().id();
    let (mut keeper, mut answers) = etcd.lease_keep_alive(lease).await.unwrap();
    for _ in 0..3 {
        keeper.keep_alive().await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().ttl(), 600);
    }
    assert_eq!(counted(etcd.keep_alive_failures()), (0, 0));
    etcd.lease_revoke(lease).await.unwrap();
    for gone in 1..=2 {
        keeper.keep_alive().await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().ttl(), 0);
        assert_eq!(counted(etcd.clone().keep_alive_failures()), (gone, 0));
    }
    // The client goes away: that is no failure.
    drop((keeper, answers));
    let error = etcd.lease_keep_alive(lease).await.unwrap_err();
    assert!(matches!(error, Error::LeaseKeepAliveError(_)), "{error:?}");
    assert_eq!(counted(etcd.keep_alive_failures()), (3, 0));
    let names: Vec<_> = bench.spans().into_iter().map(|span| span.name).collect();
    let expected = [
        "LeaseGrant",
        "LeaseKeepAlive",
        "LeaseRevoke",
        "LeaseKeepAlive",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_stream_that_the_server_leaves_is_broken() {
    let mut bench = Bench::start().await;
    let lease = bench.etcd.lease_grant(600, None).await.unwrap().id();
    let (_keeper, mut answers) = bench.etcd.lease_keep_alive(lease).await.unwrap();
    bench.server.process().kill();
    assert!(answers.message().await.is_err());
    assert_eq!(counted(bench.etcd.keep_alive_failures()), (0, 1));
    // Nor can another one be opened.
    bench.etcd.lease_keep_alive(lease).await.unwrap_err();
    assert_eq!(counted(bench.etcd.keep_alive_failures()), (0, 2));
}
