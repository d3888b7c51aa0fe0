//! Workers stand in etcd under a lease, and vanish when they die.

use anyhow::Context;
use dynamo_trace::etcd;
use etcd_client::{EventType, GetOptions, PutOptions, WatchOptions};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::watch;

/// How long a dead worker stays, in seconds.
const LEASE_SECONDS: i64 = 3;

fn prefix(kind: &str) -> String {
    format!("workers/{kind}/")
}

/// A worker that others can find.
pub(super) struct Registration {
    etcd: etcd::Client,
    lease: i64,
}

impl Registration {
    pub(super) async fn new(etcd: etcd::Client, kind: &str, name: &str) -> anyhow::Result<Self> {
        let lease = etcd.lease_grant(LEASE_SECONDS, None).await?.id();
        let options = PutOptions::new().with_lease(lease);
        let key = prefix(kind) + name;
        etcd.put(key, Vec::new(), Some(options)).await?;
        Ok(Self { etcd, lease })
    }

    /// Keeps the worker registered; ends only when that fails.
    pub(super) async fn keep(self) -> anyhow::Result<()> {
        let (mut keeper, mut answers) = self.etcd.lease_keep_alive(self.lease).await?;
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            beat.tick().await;
            keeper.keep_alive().await?;
            let answer = answers
                .message()
                .await?
                .context("etcd closed the keep-alive")?;
            anyhow::ensure!(answer.ttl() > 0, "the lease of this worker has expired");
        }
    }
}

/// The workers of one kind, as etcd has them.
#[derive(Clone)]
pub(super) struct Workers(watch::Receiver<BTreeSet<String>>);

impl Workers {
    /// Learns who is there, then follows the changes until the process ends.
    pub(super) async fn follow(etcd: &etcd::Client, kind: &str) -> anyhow::Result<Self> {
        let prefix = prefix(kind);
        let found = etcd
            .get(&*prefix, Some(GetOptions::new().with_prefix()))
            .await?;
        let name = {
            let prefix = prefix.clone();
            move |key: &[u8]| {
                let key = String::from_utf8_lossy(key);
                key.strip_prefix(&*prefix).unwrap_or(&key).to_owned()
            }
        };
        let names: BTreeSet<_> = found.kvs().iter().map(|kv| name(kv.key())).collect();
        let next = found.header().map_or(0, |header| header.revision() + 1);
        let options = WatchOptions::new().with_prefix().with_start_revision(next);
        let mut changes = etcd.watch(&*prefix, Some(options)).await?;
        let (known, workers) = watch::channel(names);
        tokio::spawn(async move {
            while let Some(Ok(change)) = changes.next().await {
                let work = change.process(async |event| {
                    let worker = event.kv().map(|kv| name(kv.key())).unwrap_or_default();
                    let joined = event.event_type() == EventType::Put;
                    tracing::info!(worker, joined, "worker changed");
                    known.send_modify(|names| {
                        if joined {
                            names.insert(worker);
                        } else {
                            names.remove(&worker);
                        }
                    });
                });
                work.await;
            }
            tracing::error!("the watch of workers ended");
        });
        Ok(Self(workers))
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0.borrow().clone()
    }

    /// Waits until this worker is gone.
    pub(super) async fn left(&mut self, name: &str) {
        let gone = self.0.wait_for(|names| !names.contains(name)).await.is_ok();
        if !gone {
            // The watch ended: nobody can tell any more.
            std::future::pending::<()>().await;
        }
    }
}
