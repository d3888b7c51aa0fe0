//! The server starters, on the real programs.

use dynamo_trace_testkit::servers::{EtcdCluster, EtcdServer, NatsServer};
use tokio::net::TcpStream;

#[tokio::test]
async fn servers_answer_when_started_and_are_gone_when_dropped() {
    let nats = NatsServer::start().await.unwrap();
    let etcd = EtcdServer::start().await.unwrap();
    let addresses = [nats.url().replace("nats://", ""), etcd.endpoint()];
    for address in &addresses {
        TcpStream::connect(address).await.unwrap();
    }
    drop((nats, etcd));
    for address in &addresses {
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn several_at_once_do_not_meet() {
    let (a, b) = tokio::join!(NatsServer::start(), NatsServer::start());
    assert_ne!(a.unwrap().url(), b.unwrap().url());
}

#[tokio::test]
async fn a_server_starts_again_where_it_was() {
    let mut nats = NatsServer::start_with("server_name: again").await.unwrap();
    let mut etcd = EtcdServer::start_with(&["--name", "default"])
        .await
        .unwrap();
    let before = (nats.url(), etcd.endpoint());
    let ids = (nats.process().id(), etcd.process().id());
    nats.restart().await.unwrap();
    etcd.restart().await.unwrap();
    assert_eq!((nats.url(), etcd.endpoint()), before);
    assert_ne!((nats.process().id(), etcd.process().id()), ids);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_told() {
    let error = NatsServer::start_with("port: nowhere").await.unwrap_err();
    assert!(error.to_string().contains("ended with"), "{error}");
}

#[tokio::test]
async fn a_cluster_goes_on_without_its_leader() {
    let mut etcd = EtcdCluster::start().await.unwrap();
    let leader = etcd.leader().await.unwrap();
    etcd.stop(leader);
    let endpoints = etcd.endpoints();
    assert!(TcpStream::connect(&endpoints[leader]).await.is_err());
    assert_ne!(etcd.leader().await.unwrap(), leader);
    etcd.restart(leader).await.unwrap();
    assert_eq!(etcd.endpoints(), endpoints);
    for endpoint in endpoints {
        TcpStream::connect(endpoint).await.unwrap();
    }
}
