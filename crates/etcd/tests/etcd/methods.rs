//! Every method of the client, called once: what it is called, what its span says.

use crate::bench::{Bench, within};
use crate::tap::Tap;
use dynamo_trace_etcd::Client;
use etcd_client::{
    AlarmAction, AlarmType, LockOptions, MemberAddOptions, Permission, ResignOptions, Txn, TxnOp,
};
use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SpanData;

/// Calls what a client has, on a cluster of one member.
async fn call_everything(etcd: &Client) {
    call_kv(etcd).await;
    call_leases(etcd).await;
    call_locks_and_elections(etcd).await;
    call_maintenance(etcd).await;
    call_cluster(etcd).await;
    call_roles_and_users(etcd).await;
}

async fn call_kv(etcd: &Client) {
    etcd.put("k", "v", None).await.unwrap();
    etcd.get("k", None).await.unwrap();
    let put = TxnOp::put("k", "w", None);
    etcd.txn(Txn::new().and_then([put])).await.unwrap();
    let deleted = etcd.delete("k", None).await.unwrap();
    etcd.watch("k", None).await.unwrap();
    let revision = deleted.header().unwrap().revision();
    etcd.compact(revision, None).await.unwrap();
}

async fn call_leases(etcd: &Client) {
    let lease = etcd.lease_grant(600, None).await.unwrap().id();
    etcd.lease_keep_alive(lease).await.unwrap();
    let left = etcd.lease_time_to_live(lease, None).await.unwrap();
    assert!(left.ttl() > 500);
    let leases = etcd.leases().await.unwrap();
    assert!(leases.leases().iter().any(|known| known.id() == lease));
    etcd.lease_revoke(lease).await.unwrap();
}

async fn call_locks_and_elections(etcd: &Client) {
    let lease = etcd.lease_grant(600, None).await.unwrap().id();
    let options = LockOptions::new().with_lease(lease);
    let locked = etcd.lock("lock", Some(options)).await.unwrap();
    etcd.unlock(locked.key()).await.unwrap();
    let elected = etcd.campaign("election", "me", lease).await.unwrap();
    let key = elected.leader().unwrap().clone();
    let options = etcd_client::ProclaimOptions::new().with_leader(key.clone());
    etcd.proclaim("still me", Some(options)).await.unwrap();
    let leader = etcd.leader("election").await.unwrap();
    assert_eq!(leader.kv().unwrap().value(), b"still me");
    let mut observed = etcd.observe("election").await.unwrap();
    assert!(observed.message().await.unwrap().is_some());
    let options = ResignOptions::new().with_leader(key);
    etcd.resign(Some(options)).await.unwrap();
}

async fn call_maintenance(etcd: &Client) {
    etcd.alarm(AlarmAction::Get, AlarmType::None, None)
        .await
        .unwrap();
    let status = etcd.status().await.unwrap();
    etcd.defragment().await.unwrap();
    etcd.hash().await.unwrap();
    etcd.hash_kv(0).await.unwrap();
    let mut copy = etcd.snapshot().await.unwrap();
    while copy.message().await.unwrap().is_some() {}
    // To itself: there is nobody else.
    etcd.move_leader(status.leader()).await.unwrap();
}

async fn call_cluster(etcd: &Client) {
    let learner = MemberAddOptions::new().with_is_learner();
    let added = etcd.member_add(["127.0.0.1:1"], Some(learner)).await;
    let id = added.unwrap().member().unwrap().id();
    let urls = ["http://127.0.0.1:2".to_owned()];
    etcd.member_update(id, urls).await.unwrap();
    // It was never started.
    etcd.member_promote(id).await.unwrap_err();
    etcd.member_remove(id).await.unwrap();
    assert_eq!(etcd.member_list().await.unwrap().members().len(), 1);
}

async fn call_roles_and_users(etcd: &Client) {
    etcd.role_add("root").await.unwrap();
    etcd.role_add("r").await.unwrap();
    let permission = Permission::read_write("k");
    etcd.role_grant_permission("r", permission).await.unwrap();
    assert_eq!(etcd.role_get("r").await.unwrap().permissions().len(), 1);
    etcd.role_revoke_permission("r", "k", None).await.unwrap();
    assert_eq!(etcd.role_list().await.unwrap().roles(), ["r", "root"]);
    etcd.role_delete("r").await.unwrap();
    etcd.user_add("root", "pw", None).await.unwrap();
    etcd.user_change_password("root", "password").await.unwrap();
    etcd.user_grant_role("root", "root").await.unwrap();
    assert_eq!(etcd.user_get("root").await.unwrap().roles(), ["root"]);
    assert_eq!(etcd.user_list().await.unwrap().users(), ["root"]);
    etcd.auth_enable().await.unwrap();
    let root = ("root".to_owned(), "password".to_owned());
    etcd.update_user(Some(root)).await.unwrap();
    etcd.refresh_token().await.unwrap();
    etcd.auth_disable().await.unwrap();
    etcd.update_user(None).await.unwrap();
    etcd.user_revoke_role("root", "root").await.unwrap();
    etcd.user_delete("root").await.unwrap();
}

/// Kind, name and all attributes, of every span a line.
fn lines(spans: &[SpanData], endpoint: &str) -> String {
    let (_, port) = endpoint.rsplit_once(':').unwrap();
    let line = |span: &SpanData| {
        assert_eq!(span.span_kind, SpanKind::Client);
        let attributes = span.attributes.iter().map(|kv| {
            let value = kv.value.as_str();
            let value = if value == port { "PORT" } else { &*value };
            format!(" {}={value}", kv.key.as_str().trim_start_matches("db."))
        });
        format!("{}:{}\n", span.name, attributes.collect::<String>())
    };
    spans.iter().map(line).collect()
}

#[tokio::test]
async fn every_method_is_one_span() {
    let bench = Bench::start().await;
    call_everything(&bench.etcd).await;
    let expected = METHODS.lines().map(|line| {
        let (operation, more) = line.split_once(':').unwrap();
        format!(
            "{operation}: system.name=etcd operation.name={operation} \
             server.address=127.0.0.1 server.port=PORT{more}\n"
        )
    });
    let got = lines(&bench.spans(), &bench.server.endpoint());
    assert_eq!(got, expected.collect::<String>());
}

/// In the order of the calls; what is unlike the others stands behind the colon.
const METHODS: &str = "\
Put:
Range:
Txn:
DeleteRange:
Watch:
Compact:
LeaseGrant:
LeaseKeepAlive:
LeaseTimeToLive:
LeaseLeases:
LeaseRevoke:
LeaseGrant:
Lock:
Unlock:
Campaign:
Proclaim:
Leader:
Observe:
Resign:
Alarm:
Status:
Defragment:
Hash:
HashKV:
Snapshot:
MoveLeader:
MemberAdd:
MemberUpdate:
MemberPromote: response.status_code=FAILED_PRECONDITION dynamo_trace.ending=failed error.type=FAILED_PRECONDITION
MemberRemove:
MemberList:
RoleAdd:
RoleAdd:
RoleGrantPermission:
RoleGet:
RoleRevokePermission:
RoleList:
RoleDelete:
UserAdd:
UserChangePassword:
UserGrantRole:
UserGet:
UserList:
AuthEnable:
Authenticate:
Authenticate:
AuthDisable:
UserRevokeRole:
UserDelete:
";

#[tokio::test]
async fn no_call_goes_to_the_server_without_a_span_of_its_own() {
    let bench = Bench::start().await;
    let tap = Tap::default();
    let etcd = bench.tapped(&tap).await;
    let caller = Context::new().with_span(bench.provider.tracer("caller").start("caller"));
    within(caller.clone(), call_everything(&etcd)).await;
    let (spans, seen) = (bench.spans(), tap.seen());
    assert_eq!(seen.len(), spans.len());
    let caller = caller.span().span_context().clone();
    for (seen, span) in seen.iter().zip(&spans) {
        let (trace_id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
        assert_eq!(span.parent_span_id, caller.span_id());
        let expected = format!("00-{trace_id}-{span_id}-01");
        assert_eq!(seen.traceparent.as_ref(), Some(&expected), "{}", span.name);
    }
    assert_eq!(etcd.companions_left_out(), 0);
}

#[tokio::test]
async fn it_stands_where_the_original_stood() {
    async fn work(etcd: &mut etcd_client::Client) {
        etcd.put("k", "v", None).await.unwrap();
        let mut changes = etcd.watch("k", None).await.unwrap();
        etcd.put("k", "w", None).await.unwrap();
        assert!(changes.message().await.unwrap().unwrap().created());
        let change = changes.message().await.unwrap().unwrap();
        assert_eq!(change.events().len(), 1);
    }
    let mut bench = Bench::start().await;
    work(&mut bench.etcd).await;
    let names: Vec<_> = bench.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["Put", "Watch", "Put"]);
}
