//! Workers stand in etcd under a lease, and vanish when they die.

use dynamo_trace::etcd;
use dynamo_trace::etcd::discovery::{Change, Instance, Instances, Reader};
use dynamo_trace::etcd::discovery::{Registered, Registration};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a dead worker stays.
const LEASE: Duration = Duration::from_secs(3);

fn prefix(kind: &str) -> String {
    format!("workers/{kind}/")
}

/// Makes a worker one that others can find.
pub(super) async fn register(
    etcd: &etcd::Client,
    kind: &str,
    name: &str,
) -> anyhow::Result<Registered> {
    let registration = Registration::new(etcd, prefix(kind) + name, Vec::new());
    let registration = registration.with_ttl(LEASE).with_destination("workers");
    Ok(registration.register().await?)
}

/// Takes the worker out at once, where it would vanish with its lease.
pub(super) async fn deregister(worker: Registered) {
    if let Err(error) = worker.deregister().await {
        tracing::warn!(%error, "not deregistered: the lease will run out");
    }
}

/// The workers of one kind, as etcd has them.
pub(super) struct Workers {
    prefix: String,
    instances: Reader,
    /// Those that failed: until then they get no requests, unless they register anew.
    suspects: Mutex<HashMap<i64, Instant>>,
}

impl Workers {
    /// Learns who is there; the future tells who comes and goes.
    pub(super) async fn follow(
        etcd: &etcd::Client,
        kind: &str,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + use<>)> {
        let prefix = prefix(kind);
        let watch = Instances::watch(etcd, &*prefix).with_destination("workers");
        let mut changes = watch.await?;
        let workers = Self {
            prefix,
            instances: changes.reader(),
            suspects: Mutex::default(),
        };
        let follow = async move {
            while let Some(change) = changes.next().await {
                let tell = async |change: Change| {
                    let joined = !matches!(change, Change::Left(_));
                    let worker = &*change.instance().name();
                    tracing::info!(worker, joined, "worker changed");
                };
                change.process(tell).await;
            }
        };
        Ok((workers, follow))
    }

    /// Those that may get a request.
    pub(super) fn available(&self) -> Vec<String> {
        let now = Instant::now();
        let suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let is_suspect = |worker: &Instance| {
            let until = suspects.get(&worker.mod_revision());
            until.is_some_and(|until| *until > now)
        };
        let workers = self.instances.snapshot();
        let available = workers.values().filter(|worker| !is_suspect(worker));
        available.map(|worker| worker.name().into_owned()).collect()
    }

    /// Keeps a worker that failed from requests, for longer than a dead one stays registered.
    pub(super) fn suspect(&self, name: &str) {
        let Some(worker) = self.instances.get(self.key(name)) else {
            return;
        };
        let now = Instant::now();
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        suspects.retain(|_, until| *until > now);
        suspects.insert(worker.mod_revision(), now + 2 * LEASE);
    }

    /// Waits until this worker is gone.
    pub(super) async fn left(&self, name: &str) {
        let key = self.key(name);
        let is_gone = self
            .instances
            .wait_for(|workers| !workers.contains_key(key.as_bytes()));
        is_gone.await;
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
