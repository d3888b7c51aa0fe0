//! Endpoints, users, timeouts: what stands between the client and the servers.

use crate::bench::{Bench, attribute, companion};
use dynamo_trace_etcd::Error;
use dynamo_trace_etcd::attributes::{DB_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT};
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::ConnectOptions;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Code;

/// What the span says of the server, as an endpoint.
fn server(span: &SpanData) -> Option<String> {
    let (host, port) = (
        attribute(span, SERVER_ADDRESS)?,
        attribute(span, SERVER_PORT)?,
    );
    Some(format!("{host}:{port}"))
}

/// What the spans since the last time say of the server.
fn servers(bench: &Bench) -> Vec<Option<String>> {
    let servers = bench.spans().iter().map(server).collect();
    bench.forget_spans();
    servers
}

#[tokio::test]
async fn endpoints_come_and_go_and_only_a_single_one_is_named() {
    let (bench, other) = (Bench::start().await, EtcdServer::start().await.unwrap());
    let (first, second) = (bench.server.endpoint(), other.endpoint());
    let etcd = bench
        .builder()
        .connect([&first, &second], None)
        .await
        .unwrap();
    let mut members = BTreeSet::new();
    // Both are asked in turn; the balance is random.
    while members.len() < 2 {
        members.insert(etcd.status().await.unwrap().header().unwrap().member_id());
    }
    assert!(servers(&bench).iter().all(Option::is_none));

    etcd.remove_endpoint(format!("http://{second}/"))
        .await
        .unwrap();
    let kept = bench
        .etcd
        .status()
        .await
        .unwrap()
        .header()
        .unwrap()
        .member_id();
    bench.forget_spans();
    for _ in 0..20 {
        let answered = etcd.status().await.unwrap().header().unwrap().member_id();
        assert_eq!(answered, kept);
    }
    assert_eq!(servers(&bench), vec![Some(first.clone()); 20]);

    // Over any client that shares the channel.
    etcd.clone()
        .into_inner()
        .add_endpoint(&second)
        .await
        .unwrap();
    etcd.status().await.unwrap();
    assert_eq!(servers(&bench), [None]);
    etcd.remove_endpoint(format!("http://{first}/"))
        .await
        .unwrap();
    etcd.get("k", None).await.unwrap();
    assert_eq!(servers(&bench), [Some(second)]);
}

#[tokio::test]
async fn a_channel_of_ones_own_names_no_server_and_has_no_endpoints() {
    let bench = Bench::start().await;
    let tap = crate::tap::Tap::default();
    let etcd = bench.tapped(&tap).await;
    etcd.get("k", None).await.unwrap();
    assert_eq!(servers(&bench), [None]);
    let added = etcd.add_endpoint(bench.server.endpoint()).await;
    assert!(
        matches!(added, Err(Error::EndpointsNotManaged)),
        "{added:?}"
    );
}

/// The names of the spans, each with its status.
fn outcomes(bench: &Bench) -> Vec<String> {
    let outcome = |span: &SpanData| {
        let code = attribute(span, DB_RESPONSE_STATUS_CODE);
        format!("{} {}", span.name, code.as_deref().unwrap_or("OK"))
    };
    bench.spans().iter().map(outcome).collect()
}

#[tokio::test]
async fn a_token_that_is_void_is_replaced_and_each_try_is_a_span() {
    let bench = Bench::start().await;
    let admin = &bench.etcd;
    admin.user_add("root", "pw", None).await.unwrap();
    admin.role_add("root").await.unwrap();
    admin.user_grant_role("root", "root").await.unwrap();
    admin.user_add("app", "pw", None).await.unwrap();
    admin.user_grant_role("app", "root").await.unwrap();
    admin.auth_enable().await.unwrap();
    let connect = async |user: &str| {
        let options = ConnectOptions::new().with_user(user, "pw");
        let options = options.with_auto_token_refresh(true);
        let endpoints = [bench.server.endpoint()];
        let etcd = bench.builder().connect(endpoints, Some(options)).await;
        etcd.unwrap()
    };
    let (root, app) = (connect("root").await, connect("app").await);
    app.put("k", "1", None).await.unwrap();
    // The same password, but no token of before is taken any more.
    root.user_change_password("app", "pw").await.unwrap();
    bench.forget_spans();
    app.put("k", "2", None).await.unwrap();
    let expected = ["Put UNAUTHENTICATED", "Authenticate OK", "Put OK"];
    assert_eq!(outcomes(&bench), expected);
    // The put that went through has its companion.
    assert_eq!(app.companions_left_out(), 0);
    let (value, beside) = (app.get("k", None), app.get(companion("k"), None));
    let (value, beside) = (value.await.unwrap(), beside.await.unwrap());
    assert_eq!(value.kvs()[0].value(), b"2");
    assert_eq!(
        value.kvs()[0].mod_revision(),
        beside.kvs()[0].mod_revision()
    );
}

#[tokio::test]
async fn who_is_refused_is_told_as_by_the_original() {
    let bench = Bench::start().await;
    bench.etcd.user_add("root", "pw", None).await.unwrap();
    bench.etcd.role_add("root").await.unwrap();
    bench.etcd.user_grant_role("root", "root").await.unwrap();
    bench.etcd.auth_enable().await.unwrap();
    bench.forget_spans();
    let options = || Some(ConnectOptions::new().with_user("root", "wrong"));
    let endpoints = [bench.server.endpoint()];
    let traced = bench.builder().connect(&endpoints, options()).await;
    let plain = etcd_client::Client::connect(&endpoints, options()).await;
    let (traced, plain) = (traced.unwrap_err(), plain.err().unwrap());
    assert_eq!(traced.to_string(), plain.to_string());
    assert_eq!(outcomes(&bench), ["Authenticate INVALID_ARGUMENT"]);
    assert!(!format!("{:?}", bench.spans()).contains("wrong"));
}

/// The code of the error.
fn code(error: &Error) -> Code {
    match error {
        Error::GRpcStatus(status) => status.code(),
        other => panic!("no status: {other}"),
    }
}

#[tokio::test]
async fn a_timeout_ends_the_call_and_its_span() {
    let bench = Bench::start().await;
    bench.etcd.lock("held", None).await.unwrap();
    bench.forget_spans();
    let options = || Some(ConnectOptions::new().with_timeout(Duration::from_millis(300)));
    let endpoints = [bench.server.endpoint()];
    let traced = bench
        .builder()
        .connect(&endpoints, options())
        .await
        .unwrap();
    let plain = etcd_client::Client::connect(&endpoints, options()).await;
    let traced = traced.lock("held", None).await.unwrap_err();
    let plain = plain.unwrap().lock("held", None).await.unwrap_err();
    assert_eq!(traced.to_string(), plain.to_string());
    // What tonic calls cancelled was a deadline.
    assert_eq!(code(&traced), Code::Cancelled);
    assert_eq!(outcomes(&bench), ["Lock DEADLINE_EXCEEDED"]);
    assert_eq!(bench.spans()[0].status, Status::error(""));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_and_the_client_goes_on() {
    let bench = Bench::start().await;
    bench.etcd.lock("held", None).await.unwrap();
    bench.forget_spans();
    let waits = bench.etcd.lock("held", None);
    let given_up = tokio::time::timeout(Duration::from_millis(300), waits).await;
    assert!(given_up.is_err());
    let span = bench.span("Lock");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        attribute(&span, "dynamo_trace.ending").unwrap(),
        "cancelled"
    );
    assert_eq!(attribute(&span, DB_RESPONSE_STATUS_CODE), None);
    bench.etcd.put("k", "v", None).await.unwrap();
    assert_eq!(outcomes(&bench), ["Lock OK", "Put OK"]);
}
