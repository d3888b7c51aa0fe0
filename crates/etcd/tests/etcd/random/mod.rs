//! The same operations, drawn at random, through etcd-client alone and through ours: the same
//! results, one by one, and the same store in the end.

mod generate;

use crate::bench::{Bench, companion};
use crate::same::without_ids;
use dynamo_trace_etcd::Client;
use etcd_client::{
    Error, GetOptions, LeaseGrantOptions, LeaseTimeToLiveOptions, LockOptions, LockResponse,
    ResponseHeader,
};
use generate::{LEASES, Operation, operations};
use std::fmt::Debug;

const OPERATIONS: usize = 2_000;
/// Further ones would find nothing that this one does not: it is for whoever looks for more.
const SEED: u64 = 0x6574_6364;

/// Runs operations on either client, and takes down every result.
struct Run {
    etcd: etcd_client::Client,
    revision: i64,
    results: Vec<String>,
}

impl Run {
    async fn all(etcd: etcd_client::Client, operations: &[Operation]) -> Self {
        let mut run = Self {
            etcd,
            revision: 0,
            results: Vec::new(),
        };
        for operation in operations {
            let result = run.one(operation.clone()).await;
            run.results.push(result);
        }
        run
    }

    async fn one(&mut self, operation: Operation) -> String {
        let etcd = &mut self.etcd;
        match operation {
            Operation::Put(key, value, options) => {
                let put = etcd.put(key, value, Some(options)).await;
                self.note(put, |put| put.header())
            }
            Operation::Get(key, options) => {
                let got = etcd.get(key, Some(options)).await;
                self.note(got, |got| got.header())
            }
            Operation::GetOld(key, back) => {
                let options = GetOptions::new().with_revision(self.revision - back);
                let got = etcd.get(key, Some(options)).await;
                self.note(got, |got| got.header())
            }
            Operation::Delete(key, options) => {
                let deleted = etcd.delete(key, Some(options)).await;
                self.note(deleted, |deleted| deleted.header())
            }
            Operation::Txn(txn) => {
                let ran = etcd.txn(txn).await;
                let responses = ran.as_ref().map(etcd_client::TxnResponse::op_responses);
                let responses = without_ids(&format!("{:?}", responses.unwrap_or_default()));
                self.note(ran, |ran| ran.header()) + &responses
            }
            Operation::Grant(id) => {
                let options = LeaseGrantOptions::new().with_id(id);
                let granted = etcd.lease_grant(6_000, Some(options)).await;
                self.note(granted, |granted| granted.header())
            }
            Operation::Revoke(id) => {
                let revoked = etcd.lease_revoke(id).await;
                self.note(revoked, |revoked| revoked.header())
            }
            Operation::TimeToLive(id) => self.time_to_live(id).await,
            Operation::Leases => {
                let leases = etcd.leases().await.unwrap();
                let mut ids: Vec<_> = leases.leases().iter().map(|lease| lease.id()).collect();
                ids.sort_unstable();
                format!("{ids:?}")
            }
            Operation::Lock(name, lease) => {
                let options = LockOptions::new().with_lease(lease);
                match etcd.lock(name, Some(options)).await {
                    Ok(locked) => {
                        let unlocked = etcd.unlock(locked.key()).await;
                        let locked = self.note(Ok(locked), |locked| locked.header());
                        locked + &self.note(unlocked, |unlocked| unlocked.header())
                    }
                    Err(error) => self.note(Err::<LockResponse, _>(error), |_| None),
                }
            }
            Operation::Compact(back) => {
                let compacted = etcd.compact(self.revision - back, None).await;
                self.note(compacted, |compacted| compacted.header())
            }
        }
    }

    /// Without what is left of it, which depends on the clock, and without companions.
    async fn time_to_live(&mut self, id: i64) -> String {
        let options = LeaseTimeToLiveOptions::new().with_keys();
        let lives = self.etcd.lease_time_to_live(id, Some(options)).await;
        let lives = lives.unwrap();
        let mut keys = lives.keys().to_vec();
        keys.retain(|key| !key.starts_with(Client::DEFAULT_COMPANION_PREFIX.as_bytes()));
        keys.sort_unstable();
        format!("{} {} {keys:?}", lives.id(), lives.granted_ttl())
    }

    fn note<R: Debug>(
        &mut self,
        result: Result<R, Error>,
        header: impl Fn(&R) -> Option<&ResponseHeader>,
    ) -> String {
        match result {
            Ok(response) => {
                let revision = header(&response).map_or(0, ResponseHeader::revision);
                self.revision = self.revision.max(revision);
                without_ids(&format!("{response:?}"))
            }
            Err(Error::GRpcStatus(status)) => {
                format!("{:?}: {}", status.code(), status.message())
            }
            Err(other) => panic!("no status: {other}"),
        }
    }
}

/// Everything about every key in front of which nothing of ours stands.
async fn stored(bench: &Bench) -> Vec<String> {
    let options = GetOptions::new().with_all_keys();
    let mut kv = bench.plain.kv_client();
    let stored = kv.get("", Some(options)).await.unwrap();
    let own = Client::DEFAULT_COMPANION_PREFIX.as_bytes();
    let users = stored.kvs().iter().filter(|kv| !kv.key().starts_with(own));
    users.map(|kv| format!("{kv:?}")).collect()
}

#[tokio::test]
async fn random_operations_have_the_same_results() {
    let (traced, plain) = (Bench::start().await, Bench::start().await);
    let operations = operations(SEED, OPERATIONS);
    let (got, expected) = tokio::join!(
        Run::all(traced.etcd.clone().into_inner(), &operations),
        Run::all(plain.plain.clone(), &operations),
    );
    let results = got.results.iter().zip(&expected.results).zip(&operations);
    for (number, ((got, expected), operation)) in results.enumerate() {
        assert_eq!(got, expected, "{number}: {operation:?}");
    }
    let left = stored(&traced).await;
    assert_eq!(left, stored(&plain).await);
    assert_eq!(traced.etcd.companions_left_out(), 0);

    // Every key has its companion, and nothing else has one.
    let keys = traced.stored("u/").await.into_iter();
    let keys = keys.map(|(key, _, lease, revision)| (companion(&key), lease, revision));
    let beside = traced.stored(&companion("")).await.into_iter();
    // The note of deletions is beside no key.
    let beside = beside.filter(|(key, ..)| *key != companion(""));
    let beside = beside.map(|(key, _, lease, revision)| (key, lease, revision));
    assert_eq!(beside.collect::<Vec<_>>(), keys.collect::<Vec<_>>());

    // It was a test of something.
    assert_eq!(got.results.len(), OPERATIONS);
    let failed = got
        .results
        .iter()
        .filter(|result| result.contains("etcdserver: "));
    let (failed, left) = (failed.count(), left.len());
    assert!(failed > 100 && failed < OPERATIONS / 3, "{failed} failed");
    assert!(
        left > 5 && got.revision > 500,
        "{left} left, {}",
        got.revision
    );
    let leased = LEASES.filter(|id| {
        expected
            .results
            .iter()
            .any(|r| r.contains(&format!("lease: {id}")))
    });
    assert!(leased.count() > 2);
}
