//! Key-value buckets.

mod conformance;
mod domain;
mod hostile;
mod limits;
mod read;
mod same;
mod watch;
mod wire;
mod write;

use crate::support::{Setup, attributes, setup, within};
use async_nats::jetstream::kv::{Config, Entry};
use async_nats::jetstream::stream;
use dynamo_trace_nats::jetstream::kv::{Store, Watch};
use dynamo_trace_nats::jetstream::{self, Context};
use dynamo_trace_nats::{Client, Received};
use dynamo_trace_testkit::Tree;
use opentelemetry_sdk::trace::SpanData;

/// A bucket of a server's, and the spans of it.
pub(crate) struct Bucket {
    pub(crate) setup: Setup,
    pub(crate) store: Store,
}

pub(crate) async fn bucket() -> Bucket {
    bucket_with(|client| client, Config::default()).await
}

pub(crate) async fn bucket_with(change: impl FnOnce(Client) -> Client, config: Config) -> Bucket {
    let setup = setup().await;
    let context = jetstream::new(&change(setup.nats.clone()));
    let store = create(&context, named(config)).await;
    Bucket { setup, store }
}

/// Creates a bucket. Of a server before 2.11 async-nats cannot read the account, which it asks
/// for first: that is given the stream of one.
pub(crate) async fn create(context: &Context, config: Config) -> Store {
    if context.client().is_server_compatible(2, 11, 0) {
        return context.create_key_value(config).await.unwrap();
    }
    let bucket = config.bucket.clone();
    drop(context.create_stream(stream_of(config)).await.unwrap());
    context.get_key_value(bucket).await.unwrap()
}

/// The stream of a bucket.
pub(crate) fn stream_of(config: Config) -> stream::Config {
    stream::Config {
        name: format!("KV_{}", config.bucket),
        subjects: vec![format!("$KV.{}.>", config.bucket)],
        max_messages_per_subject: config.history.max(1),
        max_bytes: config.max_bytes,
        max_message_size: config.max_value_size,
        storage: config.storage,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: 1,
        discard: stream::DiscardPolicy::New,
        ..Default::default()
    }
}

/// For five revisions of each key, in memory.
pub(crate) fn named(config: Config) -> Config {
    Config {
        bucket: "b".to_owned(),
        history: 5,
        storage: stream::StorageType::Memory,
        ..config
    }
}

impl Bucket {
    /// The store as async-nats has it.
    pub(crate) fn plain(&self) -> async_nats::jetstream::kv::Store {
        self.store.clone().into_inner()
    }
}

/// The next change; there has to be one.
pub(crate) async fn change(watch: &mut Watch) -> Received<Entry> {
    within(watch.next()).await.expect("a change").unwrap()
}

/// Whether the server is of this version or newer; says so where it is not.
pub(crate) fn is_version(nats: &async_nats::Client, minor: i64, what: &str) -> bool {
    let version = nats.server_info().version;
    let is = nats.is_server_compatible(2, minor, 0);
    if !is {
        eprintln!("skipped: {what} needs nats-server 2.{minor}, this is {version}");
    }
    is
}

/// The spans as a tree, as text.
pub(crate) fn tree(spans: &[SpanData]) -> String {
    let spans: Vec<_> = spans.iter().map(crate::jetstream::span).collect();
    Tree::new(&spans).render()
}

/// The next item of a stream.
pub(crate) async fn next<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
}

/// All attributes as text, sorted, but for the one that is a time.
pub(crate) fn timeless(span: &SpanData) -> Vec<String> {
    let mut all = attributes(span);
    let before = all.len();
    all.retain(|attribute| !attribute.starts_with("dynamo_trace.queue_time="));
    assert_eq!(all.len(), before - 1);
    all
}
