//! Who deleted a key, or who had put it last.

use crate::bench::{Bench, companion};
use crate::changes::{next, process, put, trace_id};
use crate::tap::Tap;
use dynamo_trace_etcd::attributes::{CHANGE_LEASED, CHANGE_LINK};
use dynamo_trace_etcd::discovery::Instances;
use dynamo_trace_etcd::{Relation, Trust};
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{CompactionOptions, DeleteOptions, Error, PutOptions, Txn, TxnOp, WatchOptions};

fn prefix() -> Option<WatchOptions> {
    Some(WatchOptions::new().with_prefix())
}

async fn revision(bench: &Bench) -> i64 {
    let response = bench.plain.kv_client().get("k", None).await.unwrap();
    response.header().unwrap().revision()
}

#[tokio::test]
async fn a_deletion_is_the_cause_of_the_work_on_it() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    bench.etcd.put("k1", "v", None).await.unwrap();
    bench.etcd.put("k2", "v", None).await.unwrap();
    bench.etcd.delete("k1", None).await.unwrap();
    let txn = Txn::new().and_then([TxnOp::delete("k2", None)]);
    bench.etcd.txn(txn).await.unwrap();
    for _ in 0..4 {
        process(&mut changes).await;
    }
    let expected = "\
CLIENT DeleteRange
  CONSUMER process change  {dynamo_trace.etcd.change.type=delete}

CLIENT Put
  CONSUMER process change  {dynamo_trace.etcd.change.type=put}

CLIENT Put
  CONSUMER process change  {dynamo_trace.etcd.change.type=put}

CLIENT Txn
  CONSUMER process change  {dynamo_trace.etcd.change.type=delete}

CLIENT Watch
";
    assert_eq!(bench.tree(), expected);
    assert_eq!(bench.etcd.lost_contexts(), <_>::default());
}

#[tokio::test]
async fn a_foreign_deletion_is_linked_to_who_put_the_key() {
    let bench = Bench::start().await;
    bench.etcd.put("k", "v", None).await.unwrap();
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    bench.plain.kv_client().delete("k", None).await.unwrap();
    let change = next(&mut changes).await;
    // Nobody takes the writer for who deleted.
    assert!(change.remote().is_link_only());
    assert_eq!(change.relation(), Relation::Link);
    change.process(async |_| {}).await;
    let expected = "\
CLIENT Put

CLIENT Watch

CONSUMER process change  {dynamo_trace.etcd.change.type=delete, dynamo_trace.etcd.change.link=last_writer}
  ~ link: CLIENT Put
";
    assert_eq!(bench.tree(), expected);
    assert_eq!(bench.etcd.lost_contexts().missing, 1);
}

#[tokio::test]
async fn the_end_of_a_lease_is_linked_to_who_put_the_key_and_told_apart() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    let expires = bench.etcd.lease_grant(1, None).await.unwrap().id();
    let revoked = bench.etcd.lease_grant(600, None).await.unwrap().id();
    for (key, lease) in [("k1", expires), ("k2", revoked)] {
        let options = PutOptions::new().with_lease(lease);
        bench.etcd.put(key, "v", Some(options)).await.unwrap();
        next(&mut changes).await;
    }
    bench.plain.lease_client().revoke(revoked).await.unwrap();
    bench.forget_spans();
    for _ in 0..2 {
        process(&mut changes).await;
    }
    let expected = "\
CONSUMER process change  {dynamo_trace.etcd.change.type=delete, dynamo_trace.etcd.change.link=last_writer, dynamo_trace.etcd.change.leased=true}
  ~ link: unknown span
";
    assert_eq!(bench.tree(), format!("{expected}\n{expected}"));
}

#[tokio::test]
async fn a_watch_that_asks_for_what_was_before_knows_of_any_lease() {
    let bench = Bench::start().await;
    let options = WatchOptions::new().with_prev_key();
    let mut changes = bench.etcd.watch("k", Some(options)).await.unwrap();
    let lease = bench.plain.lease_client().grant(600, None).await.unwrap();
    let leased = || Some(PutOptions::new().with_lease(lease.id()));
    let mut plain = bench.plain.kv_client();
    plain.put("k", "v", leased()).await.unwrap();
    bench.etcd.delete("k", None).await.unwrap();
    plain.put("k", "v", leased()).await.unwrap();
    plain.delete("k", None).await.unwrap();
    for _ in 0..4 {
        process(&mut changes).await;
    }
    let expected = "\
CLIENT DeleteRange
  CONSUMER process change  {dynamo_trace.etcd.change.type=delete}

CLIENT Watch

CONSUMER process change  {dynamo_trace.etcd.change.type=delete, dynamo_trace.etcd.change.leased=true}

CONSUMER process change  {dynamo_trace.etcd.change.type=put}

CONSUMER process change  {dynamo_trace.etcd.change.type=put}
";
    assert_eq!(bench.tree(), expected);
}

#[tokio::test]
async fn a_deletion_of_many_keys_is_read_once() {
    const KEYS: usize = 100;
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    for n in 0..KEYS {
        put(&bench, &format!("k{n:03}"), "v").await;
    }
    let mut changes = etcd.watch("k", prefix()).await.unwrap();
    let all = DeleteOptions::new().with_prefix();
    bench.etcd.delete("k", Some(all)).await.unwrap();
    let deletion = bench.span("DeleteRange").span_context.trace_id();
    for _ in 0..KEYS {
        assert_eq!(trace_id(&next(&mut changes).await), Some(deletion));
    }
    assert_eq!(tap.methods(), ["Watch", "Txn"]);
}

#[tokio::test]
async fn a_foreign_deletion_of_many_keys_finds_every_writer() {
    const KEYS: usize = 50;
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let mut writers = Vec::new();
    for n in 0..KEYS {
        writers.push(put(&bench, &format!("k{n:03}"), "v").await);
    }
    let mut changes = etcd.watch("k", prefix()).await.unwrap();
    let all = DeleteOptions::new().with_prefix();
    let mut plain = bench.plain.kv_client();
    plain.delete("k", Some(all)).await.unwrap();
    for writer in writers {
        assert_eq!(trace_id(&next(&mut changes).await), Some(writer));
    }
    assert_eq!(tap.methods().len(), 1 + KEYS);
}

#[tokio::test]
async fn a_companion_of_an_earlier_value_says_nothing_of_the_last_writer() {
    let bench = Bench::start().await;
    bench.etcd.put("k", "v", None).await.unwrap();
    let mut plain = bench.plain.kv_client();
    plain.put("k", "overwritten", None).await.unwrap();
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    plain.delete("k", None).await.unwrap();
    let change = next(&mut changes).await;
    assert!(change.remote().is_empty());
    change.process(async |_| {}).await;
    let span = bench.span("process change");
    for attribute in [CHANGE_LINK, CHANGE_LEASED] {
        assert_eq!(crate::bench::attribute(&span, attribute), None);
    }
}

#[tokio::test]
async fn a_note_of_an_earlier_deletion_says_nothing_of_this_one() {
    let bench = Bench::start().await;
    let mut plain = bench.plain.kv_client();
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    for key in ["k1", "k2"] {
        plain.put(key, "v", None).await.unwrap();
        next(&mut changes).await;
    }
    bench.etcd.delete("k1", None).await.unwrap();
    plain.delete("k2", None).await.unwrap();
    assert!(trace_id(&next(&mut changes).await).is_some());
    assert!(next(&mut changes).await.remote().is_empty());
}

#[tokio::test]
async fn a_deletion_of_nothing_leaves_nothing() {
    let bench = Bench::start().await;
    bench.etcd.put("other", "v", None).await.unwrap();
    let before = revision(&bench).await;
    bench.etcd.delete("k", None).await.unwrap();
    let range = DeleteOptions::new().with_prefix();
    bench.etcd.delete("k", Some(range)).await.unwrap();
    let deletions: Vec<_> = (0..9)
        .map(|n| TxnOp::delete(format!("k{n}"), None))
        .collect();
    for count in [1, 8, 9] {
        let txn = Txn::new().and_then(deletions[..count].to_vec());
        bench.etcd.txn(txn).await.unwrap();
    }
    assert_eq!(revision(&bench).await, before);
    assert!(!bench.has(&companion("")).await);
}

#[tokio::test]
async fn a_transaction_leaves_a_note_whichever_of_its_deletions_finds_a_key() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    for present in 0..8 {
        let key = format!("k{present}");
        bench.plain.kv_client().put(&*key, "v", None).await.unwrap();
        let deletions = (0..8).map(|n| TxnOp::delete(format!("k{n}"), None));
        let txn = Txn::new().and_then(deletions.collect::<Vec<_>>());
        bench.etcd.txn(txn).await.unwrap();
        next(&mut changes).await;
        let deletion = bench.span("Txn").span_context.trace_id();
        assert_eq!(trace_id(&next(&mut changes).await), Some(deletion));
        bench.forget_spans();
    }
    // With a put there is a revision in any case.
    let ops = (0..9).map(|n| TxnOp::delete(format!("k{n}"), None));
    let ops = ops.chain([TxnOp::put("other", "v", None)]);
    bench.plain.kv_client().put("k8", "v", None).await.unwrap();
    bench
        .etcd
        .txn(Txn::new().and_then(ops.collect::<Vec<_>>()))
        .await
        .unwrap();
    next(&mut changes).await;
    assert!(trace_id(&next(&mut changes).await).is_some());
}

#[tokio::test]
async fn deletions_within_deletions_are_carried_out_as_ever() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    for key in ["k1", "k2", "k3"] {
        bench.etcd.put(key, "v", None).await.unwrap();
        next(&mut changes).await;
    }
    let nested = |key: &str| TxnOp::txn(Txn::new().and_then([TxnOp::delete(key, None)]));
    let txn = Txn::new().and_then([TxnOp::delete("k1", None), nested("k2")]);
    bench.etcd.txn(txn).await.unwrap();
    for _ in 0..2 {
        // Both are of one revision.
        assert!(!next(&mut changes).await.remote().is_link_only());
    }
    bench
        .etcd
        .txn(Txn::new().and_then([nested("k3")]))
        .await
        .unwrap();
    assert!(next(&mut changes).await.remote().is_link_only());
}

#[tokio::test]
async fn a_deletion_of_everything_is_linked_to_the_writers() {
    let bench = Bench::start().await;
    let writer = put(&bench, "k", "v").await;
    put(&bench, "l", "v").await;
    bench.etcd.delete("l", None).await.unwrap();
    let mut changes = bench.etcd.watch("k", None).await.unwrap();
    let all = DeleteOptions::new().with_all_keys();
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let deleted = etcd.delete("", Some(all)).await.unwrap();
    assert_eq!(deleted.deleted(), 1);
    assert!(bench.stored("").await.is_empty());
    // A note of it could only be refused.
    assert_eq!(tap.methods(), ["Txn"]);
    assert_eq!(etcd.lost_contexts().notes_left_out, 1);
    let change = next(&mut changes).await;
    assert!(change.remote().is_link_only());
    assert_eq!(trace_id(&change), Some(writer));
}

#[tokio::test]
async fn compaction_of_what_was_before_does_not_hide_who_deleted() {
    let bench = Bench::start().await;
    let mut changes = bench.etcd.watch("k", prefix()).await.unwrap();
    bench.etcd.put("k1", "v", None).await.unwrap();
    next(&mut changes).await;
    let deleted = bench.etcd.delete("k1", None).await.unwrap();
    let revision = deleted.header().unwrap().revision();
    let physical = Some(CompactionOptions::new().with_physical());
    let mut kv = bench.plain.kv_client();
    kv.compact(revision, physical).await.unwrap();
    let deletion = bench.span("DeleteRange").span_context.trace_id();
    assert_eq!(trace_id(&next(&mut changes).await), Some(deletion));
}

#[tokio::test]
async fn deletions_are_trusted_no_more_than_puts() {
    let bench = Bench::with(|builder| builder.with_trust(Trust::ignored())).await;
    let mut ignored = bench.etcd.watch("k", None).await.unwrap();
    let linked = bench.etcd.watch("k", None).await.unwrap();
    let mut linked = linked.with_trust(Trust::linked());
    bench.etcd.put("k", "v", None).await.unwrap();
    bench.etcd.delete("k", None).await.unwrap();
    for _ in 0..2 {
        assert!(next(&mut ignored).await.remote().is_empty());
        assert!(next(&mut linked).await.remote().is_link_only());
    }
    bench.etcd.put("k", "v", None).await.unwrap();
    bench.plain.kv_client().delete("k", None).await.unwrap();
    next(&mut ignored).await;
    let change = next(&mut ignored).await;
    assert!(change.remote().is_empty());
    bench.forget_spans();
    change.process(async |_| {}).await;
    assert!(!bench.tree().contains("link"), "{}", bench.tree());
    assert_eq!(bench.etcd.lost_contexts().invalid, 0);
}

#[tokio::test]
async fn where_there_is_no_space_deletions_go_through() {
    let quota = ["--quota-backend-bytes", "4194304"];
    let server = EtcdServer::start_with(&quota).await.unwrap();
    let bench = Bench::on(server, |builder| builder).await;
    bench.etcd.put("k", "v", None).await.unwrap();
    let full = loop {
        let put = bench.etcd.put("large", vec![1; 1 << 20], None).await;
        if let Err(error) = put {
            break error;
        }
    };
    assert!(matches!(&full, Error::GRpcStatus(status) if status.message().contains("space")));
    let deleted = bench.etcd.delete("k", None).await.unwrap();
    assert_eq!(deleted.deleted(), 1);
    assert!(!bench.has(&companion("k")).await);
    // etcd 3.4 does not see that a nested transaction takes up space.
    let lost = bench.etcd.lost_contexts();
    assert_eq!(lost.companions_left_out, 0);
    let noted = bench.has(&companion("")).await;
    assert_eq!(lost.notes_left_out, u64::from(!noted));
}

#[tokio::test]
async fn an_instance_that_is_deleted_leaves_by_who_deleted_it() {
    let bench = Bench::start().await;
    let writer = put(&bench, "k/1", "v").await;
    put(&bench, "k/2", "v").await;
    let mut instances = Instances::watch(&bench.etcd, "k/").await.unwrap();
    for _ in 0..2 {
        instances.next().await.unwrap();
    }
    bench.etcd.delete("k/2", None).await.unwrap();
    let left = instances.next().await.unwrap();
    let deletion = bench.span("DeleteRange").span_context.trace_id();
    assert_eq!(left.remote().span_context().unwrap().trace_id(), deletion);
    assert!(!left.remote().is_link_only());
    bench.plain.kv_client().delete("k/1", None).await.unwrap();
    let left = instances.next().await.unwrap();
    assert_eq!(left.remote().span_context().unwrap().trace_id(), writer);
    assert!(left.remote().is_link_only());
}
