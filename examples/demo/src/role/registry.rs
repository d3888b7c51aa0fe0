//! Workers stand in etcd under a lease, and vanish when they die.

use anyhow::Context;
use dynamo_trace::etcd;
use etcd_client::{Event, EventType, GetOptions, PutOptions, WatchOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a dead worker stays.
const LEASE: Duration = Duration::from_secs(3);

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
        let lease = etcd.lease_grant(LEASE.as_secs() as i64, None).await?.id();
        let options = PutOptions::new().with_lease(lease);
        let key = prefix(kind) + name;
        etcd.put(key, Vec::new(), Some(options)).await?;
        Ok(Self { etcd, lease })
    }

    /// Keeps the worker registered; ends only when that fails.
    pub(super) async fn keep(&self) -> anyhow::Result<()> {
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

impl Registration {
    /// Takes the worker out at once, where it would vanish with its lease.
    pub(super) async fn end(self) {
        let revoke = self.etcd.lease_revoke(self.lease);
        if !matches!(tokio::time::timeout(LEASE, revoke).await, Ok(Ok(_))) {
            tracing::warn!("not deregistered: the lease will run out");
        }
    }
}

/// The workers of one kind, as etcd has them.
#[derive(Clone)]
pub(super) struct Workers(Arc<watch::Sender<BTreeMap<String, Standing>>>);

/// What is known of a registered worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// It failed: until then it gets no requests, unless it registers anew.
    suspect_until: Option<Instant>,
}

impl Workers {
    /// Learns who is there; the future follows the changes, and ends only when that fails.
    pub(super) async fn follow(
        etcd: &etcd::Client,
        kind: &str,
    ) -> anyhow::Result<(Self, impl Future<Output = anyhow::Error> + use<>)> {
        let prefix = prefix(kind);
        let options = GetOptions::new().with_prefix();
        let found = etcd.get(&*prefix, Some(options)).await?;
        let keys = found.kvs().iter().map(|kv| name(&prefix, kv.key()));
        let known = keys.map(|name| (name, Standing::default())).collect();
        let next = found.header().map_or(0, |header| header.revision() + 1);
        let options = WatchOptions::new().with_prefix().with_start_revision(next);
        let mut changes = etcd.watch(&*prefix, Some(options)).await?;
        let workers = Self(Arc::new(watch::Sender::new(known)));
        let learned = workers.clone();
        let follow = async move {
            while let Some(Ok(change)) = changes.next().await {
                change
                    .process(async |event| learned.learn(&prefix, &event))
                    .await;
            }
            anyhow::anyhow!("the watch of workers ended")
        };
        Ok((workers, follow))
    }

    fn learn(&self, prefix: &str, event: &Event) {
        let worker = event.kv().map(|kv| name(prefix, kv.key()));
        let worker = worker.unwrap_or_default();
        let joined = event.event_type() == EventType::Put;
        tracing::info!(worker, joined, "worker changed");
        self.0.send_modify(|workers| {
            if joined {
                workers.insert(worker, Standing::default());
            } else {
                workers.remove(&worker);
            }
        });
    }

    /// Those that may get a request.
    pub(super) fn available(&self) -> Vec<String> {
        let now = Instant::now();
        let workers = self.0.borrow();
        let available = workers
            .iter()
            .filter(|(_, standing)| standing.suspect_until.is_none_or(|until| until <= now));
        available.map(|(name, _)| name.clone()).collect()
    }

    /// Keeps a worker that failed from requests, for longer than a dead one stays registered.
    pub(super) fn suspect(&self, name: &str) {
        let until = Instant::now() + 2 * LEASE;
        self.0.send_modify(|workers| {
            if let Some(standing) = workers.get_mut(name) {
                standing.suspect_until = Some(until);
            }
        });
    }

    /// Waits until this worker is gone.
    pub(super) async fn left(&self, name: &str) {
        let mut changes = self.0.subscribe();
        // It cannot fail: the sender is in `self`.
        let _ = changes
            .wait_for(|workers| !workers.contains_key(name))
            .await;
    }
}

fn name(prefix: &str, key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    key.strip_prefix(prefix).unwrap_or(&key).to_owned()
}
