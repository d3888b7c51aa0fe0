//! The suite that every adapter runs, for a bucket: writes and a watch.

use crate::kv::{create, named};
use crate::support::Server;
use async_nats::jetstream::kv::{Config, Entry};
use bytes::Bytes;
use dynamo_trace_nats::jetstream::kv::{Store, Watch};
use dynamo_trace_nats::{Client, jetstream};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

dynamo_trace_testkit::conformance_tests!(Bucket);

struct Bucket {
    server: Server,
    store: Store,
    /// A key is written once: an entry that is replaced before it is sent is not seen.
    keys: AtomicUsize,
    /// Those that are written. An entry may arrive before its writer knows that it is stored;
    /// the suite takes a send that does not reply for done when the work begins.
    written: watch::Sender<HashSet<String>>,
    watcher: JoinHandle<()>,
}

impl Bucket {
    fn key(&self) -> String {
        format!("k.{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    fn is_written(&self, key: String) {
        self.written.send_modify(|keys| {
            keys.insert(key);
        });
    }
}

impl Harness for Bucket {
    const TRAITS: Traits = Traits {
        // What JetStream stores of headers, in all.
        max_field_bytes: 60_000,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let server = Server::start().await;
        let connect = async || {
            let client = Client::new(server.connect().await)
                .with_tracer_provider(&handles.provider)
                .with_propagation(handles.propagation.clone());
            jetstream::new(&client)
        };
        let store = create(&connect().await, named(Config::default())).await;
        let watched = connect().await.get_key_value("b").await.unwrap();
        // No span of the harness' own.
        let entries = silent(&watched).await;
        let (written, seen) = watch::channel(HashSet::new());
        Self {
            watcher: tokio::spawn(receive(entries, seen, work)),
            written,
            keys: AtomicUsize::new(0),
            server,
            store,
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let key = self.key();
        let put = self.store.put(&key, payload).await;
        self.is_written(key);
        put.map(drop).map_err(|error| error.to_string())
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let lines = crate::support::header_lines(&fields)?;
        let key = self.key();
        let to = format!("$KV.b.{key}");
        self.server.publish_raw(&to, &lines, &payload).await;
        self.is_written(key);
        Ok(())
    }

    async fn stop(self) {
        self.watcher.abort();
        let _ = self.watcher.await;
    }
}

/// A watch that was set up where telemetry is suppressed.
async fn silent(store: &Store) -> Watch {
    use opentelemetry::trace::FutureExt;
    let suppressed = opentelemetry::Context::new().with_telemetry_suppressed();
    store.watch_all().with_context(suppressed).await.unwrap()
}

/// Several entries at a time.
async fn receive(mut entries: Watch, seen: watch::Receiver<HashSet<String>>, work: Work) {
    let mut running = JoinSet::new();
    while let Some(entry) = entries.next().await {
        let (entry, work, mut seen) = (entry.unwrap(), work.clone(), seen.clone());
        running.spawn(async move {
            let is_written = |keys: &HashSet<String>| keys.contains(&entry.key);
            seen.wait_for(is_written).await.unwrap();
            let work = async move |entry: Entry| work.run(entry.value).await.map(drop);
            entry.try_process(work).await
        });
    }
}
