//! What a caller gets is what etcd-client's own client gets.

use crate::bench::Bench;
use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, LeaseGrantOptions, PutOptions,
    Txn, TxnOp,
};
use std::fmt::Debug;

/// Runs everything that writes keys, on either client, and takes down every result.
struct Script {
    etcd: Client,
    results: Vec<String>,
}

impl Script {
    fn note<R: Debug>(&mut self, step: &str, result: Result<R, Error>) {
        let result = match result {
            Ok(response) => without_ids(&format!("{response:?}")),
            Err(Error::GRpcStatus(status)) => {
                format!("{:?}: {}", status.code(), status.message())
            }
            Err(other) => panic!("{step}: {other}"),
        };
        self.results.push(format!("{step}: {result}"));
    }

    async fn put(&mut self, key: &str, value: impl Into<Vec<u8>>, options: PutOptions) {
        let step = format!("put {key} {options:?}");
        let result = self.etcd.put(key, value, Some(options)).await;
        self.note(&step, result);
    }

    async fn delete(&mut self, key: &str, options: DeleteOptions) {
        let step = format!("delete {key} {options:?}");
        let result = self.etcd.delete(key, Some(options)).await;
        self.note(&step, result);
    }

    async fn txn(&mut self, step: &str, txn: Txn) {
        let result = self.etcd.txn(txn).await;
        let responses = result.as_ref().map(etcd_client::TxnResponse::op_responses);
        let responses = format!("{:?}", responses.unwrap_or_default());
        self.results.push(without_ids(&responses));
        self.note(step, result);
    }

    async fn puts(&mut self) {
        let options = PutOptions::new;
        let granted = self
            .etcd
            .lease_grant(600, Some(LeaseGrantOptions::new().with_id(77)));
        self.results
            .push(without_ids(&format!("{:?}", granted.await)));
        self.put("a", "1", options()).await;
        self.put("a", "2", options().with_prev_key()).await;
        self.put("b", "3", options().with_lease(77)).await;
        self.put("b", "4", options().with_ignore_lease().with_prev_key())
            .await;
        self.put("b", "", options().with_ignore_value().with_lease(77))
            .await;
        self.put("b", "", options().with_ignore_value().with_ignore_lease())
            .await;
        self.put("b", "", options().with_prev_key()).await;
        // Each of these is refused.
        self.put("", "1", options()).await;
        self.put("none", "1", options().with_ignore_lease()).await;
        self.put("none", "", options().with_ignore_value()).await;
        self.put("a", "1", options().with_ignore_value()).await;
        self.put("a", "1", options().with_lease(78)).await;
        self.put("a", "1", options().with_lease(77).with_ignore_lease())
            .await;
        // The largest that etcd takes, and one that it does not.
        self.put("large", vec![1; 1_572_864 - 100], options()).await;
        self.put("large", vec![1; 1_572_864], options()).await;
    }

    async fn deletes(&mut self) {
        let options = DeleteOptions::new;
        for key in ["d/1", "d/2", "d/3", "e", "f", "g"] {
            self.put(key, key, PutOptions::new()).await;
        }
        self.delete("d/1", options()).await;
        self.delete("d/1", options().with_prev_key()).await;
        self.delete("", options()).await;
        self.delete("d/", options().with_prefix().with_prev_key())
            .await;
        self.delete("e", options().with_range("g").with_prev_key())
            .await;
        self.delete("g", options().with_from_key()).await;
        self.put("g", "g", PutOptions::new()).await;
        self.delete("", options().with_all_keys().with_prev_key())
            .await;
        self.delete("", options().with_all_keys()).await;
    }

    async fn txns(&mut self) {
        let put = |key: &str| TxnOp::put(key, "v", Some(PutOptions::new().with_prev_key()));
        let get = |key: &str| TxnOp::get(key, Some(GetOptions::new().with_prefix()));
        let delete = |key: &str| {
            let options = DeleteOptions::new().with_prefix().with_prev_key();
            TxnOp::delete(key, Some(options))
        };
        let exists = |key: &str| [Compare::version(key, CompareOp::Greater, 0)];
        self.txn("empty", Txn::new()).await;
        self.txn("reads", Txn::new().and_then([get("t/")])).await;
        let both = |key: &str| {
            Txn::new()
                .when(exists(key))
                .and_then([get(key), delete(key), put("t/then"), get("t/")])
                .or_else([put(key), get("t/"), put("t/else")])
        };
        self.txn("else", both("t/1")).await;
        self.txn("then", both("t/1")).await;
        let keep = PutOptions::new().with_ignore_lease();
        let kept = TxnOp::put("t/then", "w", Some(keep.clone()));
        let missing = TxnOp::put("t/none", "w", Some(keep));
        self.txn("keeps a lease", Txn::new().and_then([kept])).await;
        self.txn("keeps no lease", Txn::new().and_then([missing]))
            .await;
        let nested = || {
            Txn::new()
                .when(exists("t/then"))
                .and_then([put("t/2"), TxnOp::txn(both("t/3")), get("t/")])
                .or_else([TxnOp::txn(both("t/4"))])
        };
        self.txn("nested", nested()).await;
        self.txn("nested again", nested()).await;
        self.txn("nested else", both("t/then")).await;
        self.txn("nested else", nested()).await;
        self.txn("put twice", Txn::new().and_then([put("t/1"), put("t/1")]))
            .await;
        let deletes = |keys: &[&str]| {
            let deletes = keys.iter().map(|key| TxnOp::delete(*key, None));
            Txn::new().and_then(deletes.collect::<Vec<_>>())
        };
        self.txn("deletes nothing", deletes(&["u/1", "u/2"])).await;
        self.put("u/2", "v", PutOptions::new()).await;
        self.txn("deletes the second", deletes(&["u/1", "u/2", "u/3"]))
            .await;
        self.put("u/3", "v", PutOptions::new()).await;
        let within = TxnOp::txn(deletes(&["u/3"]));
        let twice = Txn::new().and_then([TxnOp::delete("u/4", None), within]);
        self.txn("deletes within", twice).await;
        let put_deleted = [put("t/1"), delete("t/")];
        self.txn("put what is deleted", Txn::new().and_then(put_deleted))
            .await;
        for size in [64, 65, 128, 129] {
            let puts: Vec<_> = (0..size).map(|n| put(&format!("n/{n}"))).collect();
            self.txn(&format!("{size} puts"), Txn::new().and_then(puts))
                .await;
        }
    }

    async fn run(etcd: Client) -> Vec<String> {
        let results = Vec::new();
        let mut script = Self { etcd, results };
        script.puts().await;
        script.deletes().await;
        script.txns().await;
        script.results
    }
}

/// Two servers have different ids; all else has to agree, revisions included.
pub(crate) fn without_ids(response: &str) -> String {
    let id = |part: &&str| {
        let names = ["cluster_id:", "member_id:", "raft_term:"];
        names.iter().any(|name| part.contains(name))
    };
    let mut present = 0;
    let kept: Vec<_> = response
        .split(", ")
        .filter(|part| {
            // An id that is not filled in would be seen.
            present += usize::from(id(part) && !part.ends_with(": 0"));
            !id(part)
        })
        .collect();
    format!("{} ({present} ids)", kept.join(", "))
}

async fn assert_same(traced: &Bench) {
    let plain = Bench::start().await;
    let expected = Script::run(plain.plain.clone()).await;
    let got = Script::run(traced.etcd.clone().into_inner()).await;
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected);
    }
    let (left, stored) = (own(&traced.etcd).await, own(&plain.plain).await);
    assert_eq!(left, stored);
    assert!(!stored.is_empty());
}

/// What is in the store, but for companions, as this client sees it.
async fn own(etcd: &Client) -> Vec<(Vec<u8>, Vec<u8>, i64, i64)> {
    let mut kv = etcd.kv_client();
    let all = GetOptions::new().with_all_keys();
    let stored = kv.get("", Some(all)).await.unwrap();
    let companions = dynamo_trace_etcd::Client::DEFAULT_COMPANION_PREFIX.as_bytes();
    let own = stored.kvs().iter();
    own.filter(|kv| !kv.key().starts_with(companions))
        .map(|kv| {
            (
                kv.key().into(),
                kv.value().into(),
                kv.lease(),
                kv.mod_revision(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_response_and_error_is_the_same() {
    let traced = Bench::start().await;
    assert_same(&traced).await;
    let lost = traced.etcd.lost_contexts();
    assert!(lost.companions_left_out > 0 && lost.notes_left_out > 0);
}

#[tokio::test]
async fn so_it_is_with_envelopes() {
    let sealing = |builder: dynamo_trace_etcd::ClientBuilder| {
        builder.with_context_at("", dynamo_trace_etcd::Place::Envelope)
    };
    let traced = Bench::with(sealing).await;
    assert_same(&traced).await;
    assert!(traced.etcd.lost_contexts().envelopes_left_out > 0);
    let mixed = |builder: dynamo_trace_etcd::ClientBuilder| {
        builder.with_context_at("t/", dynamo_trace_etcd::Place::Envelope)
    };
    assert_same(&Bench::with(mixed).await).await;
}
