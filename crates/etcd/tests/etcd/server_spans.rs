//! An etcd that traces its own work joins the trace.

use dynamo_trace_etcd::Client;
use dynamo_trace_testkit::servers::EtcdServer;
use dynamo_trace_testkit::{Receiver, Tree};
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;

/// etcd exports every five seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The arguments that turn etcd's tracing on, towards this collector; `None` where it has none.
/// Spans of callers that are sampled are exported without a sampling rate of its own.
fn arguments(version: (u32, u32), receiver: &Receiver) -> Option<Vec<String>> {
    let prefix = match version {
        (3, 5) => "experimental-",
        version if version >= (3, 6) => "",
        _ => return None,
    };
    let address = receiver.endpoint().replace("http://", "");
    Some(vec![
        format!("--{prefix}enable-distributed-tracing"),
        format!("--{prefix}distributed-tracing-address={address}"),
        format!("--{prefix}distributed-tracing-service-name=etcd"),
    ])
}

fn provider(receiver: &Receiver) -> SdkTracerProvider {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(receiver.endpoint())
        .build();
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "app"));
    SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(exporter.unwrap())
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_the_server_are_below_ours() {
    let receiver = Receiver::start().await.unwrap();
    let version = EtcdServer::version().unwrap();
    let Some(arguments) = arguments(version, &receiver) else {
        eprintln!("skipped: etcd {version:?} has no tracing, (3, 5) and later have");
        return;
    };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let server = EtcdServer::start_with(&arguments).await.unwrap();
    let provider = provider(&receiver);
    let etcd = Client::builder()
        .with_tracer_provider(&provider)
        .connect([server.endpoint()], None)
        .await
        .unwrap();
    let caller = Context::new().with_span(provider.tracer("app").start("caller"));
    let trace_id = caller.span().span_context().trace_id().to_bytes();
    crate::bench::within(caller, async {
        etcd.put("k", "v", None).await.unwrap();
        etcd.get("k", None).await.unwrap();
        etcd.delete("k", None).await.unwrap();
        etcd.lease_grant(600, None).await.unwrap();
    })
    .await;
    tokio::task::block_in_place(|| provider.force_flush()).unwrap();
    let expected = if version >= (3, 7) { TREE } else { TREE_OF_3_5 };
    let spans = receiver.wait_for_trace(
        trace_id,
        |spans| spans.len() >= expected.lines().count(),
        PATIENCE,
    );
    let spans = spans.await.unwrap();
    assert_eq!(Tree::new(&spans).render_sorted(), expected);
}

/// A put and a deletion are transactions to the server: their companions are in it.
const TREE: &str = "\
INTERNAL caller  app
  CLIENT DeleteRange  app
    SERVER etcdserverpb.KV/Txn  etcd
      INTERNAL txn  etcd
  CLIENT LeaseGrant  app
    SERVER etcdserverpb.Lease/LeaseGrant  etcd
      INTERNAL lease_grant  etcd
  CLIENT Put  app
    SERVER etcdserverpb.KV/Txn  etcd
      INTERNAL txn  etcd
  CLIENT Range  app
    SERVER etcdserverpb.KV/Range  etcd
      INTERNAL range  etcd
";

/// Before 3.7 the server has spans of its RPCs alone.
const TREE_OF_3_5: &str = "\
INTERNAL caller  app
  CLIENT DeleteRange  app
    SERVER etcdserverpb.KV/Txn  etcd
  CLIENT LeaseGrant  app
    SERVER etcdserverpb.Lease/LeaseGrant  etcd
  CLIENT Put  app
    SERVER etcdserverpb.KV/Txn  etcd
  CLIENT Range  app
    SERVER etcdserverpb.KV/Range  etcd
";
