//! Spans named after what the user says of keys.

use crate::bench::{Bench, attribute, within};
use dynamo_trace_core::Propagation;
use dynamo_trace_etcd::Client;
use dynamo_trace_etcd::attributes::{DB_COLLECTION_NAME, DB_OPERATION_NAME};
use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp, WatchOptions};
use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use std::sync::{Arc, Mutex};

/// `{name} [{db.collection.name}]` of every span.
fn named(bench: &Bench) -> Vec<String> {
    let spans = bench.spans();
    let line = |span| {
        let template = attribute(span, DB_COLLECTION_NAME).unwrap_or_default();
        format!("{} [{template}]", span.name)
    };
    spans.iter().map(line).collect()
}

async fn bench() -> Bench {
    Bench::with(|builder| builder.with_key_templates(["instances/*", "config/*/model"])).await
}

#[tokio::test]
async fn spans_are_named_after_the_template_and_have_no_key() {
    let bench = bench().await;
    let etcd = &bench.etcd;
    let prefix = || Some(GetOptions::new().with_prefix());
    etcd.put("instances/secret", "v", None).await.unwrap();
    etcd.get("config/secret/model", None).await.unwrap();
    etcd.get("instances/", prefix()).await.unwrap();
    etcd.get("other/secret", None).await.unwrap();
    etcd.delete("instances/secret", None).await.unwrap();
    let options = WatchOptions::new().with_prefix();
    etcd.watch("instances/", Some(options)).await.unwrap();
    let locked = etcd.lock("instances/secret", None).await.unwrap();
    etcd.unlock(locked.key()).await.unwrap();
    etcd.leases().await.unwrap();
    let expected = [
        "Put instances/* [instances/*]",
        "Range config/*/model [config/*/model]",
        "Range instances/* [instances/*]",
        "Range []",
        "DeleteRange instances/* [instances/*]",
        "Watch instances/* [instances/*]",
        "Lock instances/* [instances/*]",
        "Unlock instances/* [instances/*]",
        "LeaseLeases []",
    ];
    assert_eq!(named(&bench), expected);
    let spans = bench.spans();
    let put = attribute(&spans[0], DB_OPERATION_NAME);
    assert_eq!(put.as_deref(), Some("Put"));
    assert!(!format!("{spans:?}").contains("secret"));
    assert_eq!(etcd.companions_left_out(), 0);
}

#[tokio::test]
async fn a_transaction_is_named_if_all_of_it_agrees() {
    let bench = bench().await;
    let put = |key: &str| TxnOp::put(key, "v", None);
    let when = [Compare::version("other", CompareOp::Equal, 0)];
    let one = Txn::new()
        .when(when)
        .and_then([put("instances/1"), put("instances/2")])
        .or_else([TxnOp::get("instances/3", None)]);
    bench.etcd.txn(one).await.unwrap();
    let two = Txn::new().and_then([put("instances/1"), put("config/a/model")]);
    bench.etcd.txn(two).await.unwrap();
    let expected = ["Txn instances/* [instances/*]", "Txn []"];
    assert_eq!(named(&bench), expected);
    assert!(bench.has("config/a/model").await);
}

#[tokio::test]
async fn what_is_sent_is_the_same() {
    let (named, plain) = (bench().await, Bench::start().await);
    let large = vec![7; 1_000_000];
    for bench in [&named, &plain] {
        bench
            .etcd
            .put("instances/1", large.clone(), None)
            .await
            .unwrap();
        bench.etcd.put("instances/2", "", None).await.unwrap();
    }
    assert_eq!(named.stored("inst").await, plain.stored("inst").await);
    assert!(named.has(&crate::bench::companion("instances/1")).await);
}

/// Takes down what it is asked about, and samples nothing.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let mut all = attributes.iter();
        let template = all.find(|kv| kv.key.as_str() == DB_COLLECTION_NAME);
        let template = template.map(|kv| kv.value.to_string());
        let asked = format!("{name} [{}]", template.unwrap_or_default());
        self.0.lock().unwrap().push(asked);
        SamplingResult {
            decision: SamplingDecision::Drop,
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

#[tokio::test]
async fn samplers_see_the_template() {
    let bench = bench().await;
    let asked = Asked::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(asked.clone())
        .build();
    let builder = Client::builder().with_tracer_provider(&provider);
    let builder = builder.with_key_templates(["instances/*"]);
    let etcd = builder.connect([bench.server.endpoint()], None);
    let etcd = etcd.await.unwrap();
    etcd.put("instances/1", "v", None).await.unwrap();
    // Below a caller that is not sampled there is but the name.
    let caller = [(
        "traceparent".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".to_owned(),
    )];
    let caller = Propagation::w3c().extract(&Context::new(), &caller.to_vec());
    within(caller, etcd.put("instances/2", "v", None))
        .await
        .unwrap();
    let asked = asked.0.lock().unwrap();
    assert_eq!(
        *asked,
        ["Put instances/* [instances/*]", "Put instances/* []"]
    );
}
