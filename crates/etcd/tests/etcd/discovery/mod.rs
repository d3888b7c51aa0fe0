//! Instances that come and go, on real servers that come and go as well.

mod crowds;
mod cut;
mod instances;
mod recovery;
mod registration;
mod strangers;
mod traces;

use crate::bench::Bench;
use dynamo_trace_etcd::discovery::{Change, Instances, Registered, Registration, State};
use dynamo_trace_etcd::{Client, Received};
use std::time::{Duration, Instant};

/// Fails the test where something takes too long.
async fn soon<F: IntoFuture>(future: F) -> F::Output {
    let start = Instant::now();
    let output = tokio::time::timeout(WITHIN, future).await.unwrap();
    // A future that nobody woke is polled once more at the end.
    assert!(start.elapsed() < WITHIN);
    output
}

const WITHIN: Duration = Duration::from_secs(30);

/// As short as etcd allows.
const TTL: Duration = Duration::from_secs(2);

fn registration(etcd: &Client, key: &str) -> Registration {
    Registration::new(etcd, key, "v").with_ttl(TTL)
}

async fn register(etcd: &Client, key: &str) -> Registered {
    soon(registration(etcd, key).register()).await.unwrap()
}

async fn watch(etcd: &Client) -> Instances {
    soon(Instances::watch(etcd, "i/")).await.unwrap()
}

async fn next(instances: &mut Instances) -> Received<Change> {
    soon(instances.next()).await.unwrap()
}

/// A change as text: `+name value`, `=name value` or `-name`.
fn told(change: &Change) -> String {
    let value = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match change {
        Change::Joined(i) => format!("+{} {}", i.name(), value(i.value())),
        Change::Updated(i) => format!("={} {}", i.name(), value(i.value())),
        Change::Left(i) => format!("-{}", i.name()),
    }
}

/// The next changes as text.
async fn tell(instances: &mut Instances, changes: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..changes {
        let change = next(instances).await;
        all.push(told(&change));
    }
    all
}

/// The map as text: `name value`.
fn listed(instances: &Instances) -> Vec<String> {
    let snapshot = instances.snapshot();
    let listed = snapshot.values().map(|i| {
        let value = String::from_utf8_lossy(i.value());
        format!("{} {value}", i.name())
    });
    listed.collect()
}

/// Waits until the registration stands like this.
async fn until(registered: &Registered, is_so: impl FnMut(&State) -> bool) -> State {
    let mut states = registered.states();
    let state = soon(states.wait_for(is_so)).await.unwrap();
    state.clone()
}

/// Waits until it was registered so many times.
async fn until_registered(registered: &Registered, times: i64) -> i64 {
    let is_so = |state: &State| matches!(state, State::Registered { count, .. } if *count == times);
    match until(registered, is_so).await {
        State::Registered { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

fn lease(registered: &Registered) -> i64 {
    match registered.state() {
        State::Registered { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

impl Bench {
    /// Another client, at this address.
    async fn client_at(&self, endpoint: String) -> Client {
        let builder = Client::builder().with_tracer_provider(&self.provider);
        builder.connect([endpoint], None).await.unwrap()
    }

    /// Puts a key without a context.
    async fn put(&self, key: &str, value: impl Into<Vec<u8>>) -> i64 {
        let mut kv = self.plain.kv_client();
        let put = kv.put(key, value, None).await.unwrap();
        put.header().unwrap().revision()
    }

    async fn revoke(&self, lease: i64) {
        let mut leases = self.plain.lease_client();
        leases.revoke(lease).await.unwrap();
    }

    async fn has_lease(&self, lease: i64) -> bool {
        let mut leases = self.plain.lease_client();
        leases.time_to_live(lease, None).await.unwrap().ttl() > 0
    }

    /// Waits for longer than a lease lives that nobody keeps alive.
    async fn outlive(&self, ttl: Duration) {
        let seconds = i64::try_from(ttl.as_secs()).unwrap();
        let mut leases = self.plain.lease_client();
        let lease = leases.grant(seconds, None).await.unwrap().id();
        let options = etcd_client::PutOptions::new().with_lease(lease);
        let mut changes = self
            .plain
            .watch_client()
            .watch("mayfly", None)
            .await
            .unwrap();
        let mut kv = self.plain.kv_client();
        kv.put("mayfly", "", Some(options)).await.unwrap();
        let gone = async {
            loop {
                let response = changes.message().await.unwrap().unwrap();
                let mut events = response.events().iter();
                if events.any(|event| event.kv().unwrap().version() == 0) {
                    break;
                }
            }
        };
        soon(gone).await;
    }
}
