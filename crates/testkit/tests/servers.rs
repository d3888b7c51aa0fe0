//! The server starters, on the real programs.

use dynamo_trace_testkit::servers::{EtcdServer, NatsServer};
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
