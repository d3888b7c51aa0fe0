//! What the tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use dynamo_trace_testkit::servers::EtcdServer;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// An etcd that the tests of this binary share while any of them runs; killed with the last.
pub(crate) async fn shared_server() -> Arc<EtcdServer> {
    static SERVER: Mutex<Weak<EtcdServer>> = Mutex::const_new(Weak::new());
    let mut shared = SERVER.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(EtcdServer::start().await.unwrap());
    *shared = Arc::downgrade(&server);
    server
}

/// etcd-client as it is.
pub(crate) async fn plain(server: &EtcdServer) -> etcd_client::Client {
    let endpoints = [server.endpoint()];
    etcd_client::Client::connect(endpoints, None).await.unwrap()
}
