//! The suite that every adapter passes: a put is the send, a watch the receiver.

#![expect(clippy::unwrap_used, reason = "what fails, fails the test")]

use bytes::Bytes;
use dynamo_trace_core::{ContextBlockBuf, Field};
use dynamo_trace_etcd::{Client, Place, Received, Watcher};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{Event, Txn, TxnOp, WatchOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};

/// What an envelope of version 1 begins with.
const ENVELOPE: &[u8] = b"\x8fdtrace\x1a\x01";

mod companions {
    dynamo_trace_testkit::conformance_tests!(super::Etcd<false>);
}

mod envelopes {
    dynamo_trace_testkit::conformance_tests!(super::Etcd<true>);
}

/// With contexts in companions, or in envelopes.
struct Etcd<const SEALED: bool> {
    etcd: Client,
    raw: etcd_client::Client,
    prefix: String,
    keys: AtomicUsize,
    answered: Arc<watch::Sender<i64>>,
    receiver: JoinHandle<()>,
    _server: Arc<EtcdServer>,
}

impl<const SEALED: bool> Harness for Etcd<SEALED> {
    const TRAITS: Traits = Traits {
        baggage: false,
        // A context block has 16 KiB, names and lengths included.
        max_field_bytes: 15 * 1024,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        static HARNESSES: AtomicUsize = AtomicUsize::new(0);
        let server = shared_server().await;
        let prefix = format!("{}/", HARNESSES.fetch_add(1, Ordering::Relaxed));
        let builder = Client::builder()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation);
        let builder = match SEALED {
            true => builder.with_context_at("", Place::Envelope),
            false => builder,
        };
        let etcd = builder.connect([server.endpoint()], None).await.unwrap();
        let options = WatchOptions::new().with_prefix();
        let changes = etcd.watch(&*prefix, Some(options)).await.unwrap();
        let answered = Arc::new(watch::Sender::new(0));
        Self {
            receiver: tokio::spawn(receive(changes, work, answered.subscribe())),
            raw: etcd_client::Client::connect([server.endpoint()], None)
                .await
                .unwrap(),
            etcd,
            prefix,
            keys: AtomicUsize::new(0),
            answered,
            _server: server,
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let response = self.etcd.put(self.next_key(), payload, None).await;
        let response = response.map_err(|error| error.to_string())?;
        self.answered(response.header());
        Ok(())
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut block = ContextBlockBuf::default();
        let bytes: usize = fields.iter().map(|(_, value)| value.len()).sum();
        if bytes > Self::TRAITS.max_field_bytes {
            return Err(RawError::Unrepresentable);
        }
        for (name, value) in &fields {
            let spelt = Field::W3C.into_iter().find(|field| field.name() == name);
            if !block.append(spelt.unwrap_or(Field::Other(name)), value) {
                return Err(RawError::Unrepresentable);
            }
        }
        let key = self.next_key();
        let companion = format!("{}{key}", Client::DEFAULT_COMPANION_PREFIX);
        let length = u16::try_from(block.as_bytes().len()).unwrap().to_be_bytes();
        let envelope = [ENVELOPE, &length, block.as_bytes(), &payload].concat();
        let txn = Txn::new().and_then(match SEALED {
            true => vec![TxnOp::put(key, envelope, None)],
            false => vec![
                TxnOp::put(key, payload, None),
                TxnOp::put(companion, block.as_bytes(), None),
            ],
        });
        let response = self.raw.kv_client().txn(txn).await;
        let response = response.map_err(|error| RawError::Failed(error.to_string()))?;
        self.answered(response.header());
        Ok(())
    }

    async fn stop(self) {
        self.receiver.abort();
        // The work ends with the task that owns it.
        let _ = self.receiver.await;
    }
}

impl<const SEALED: bool> Etcd<SEALED> {
    fn next_key(&self) -> String {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        format!("{}{key}", self.prefix)
    }

    fn answered(&self, header: Option<&etcd_client::ResponseHeader>) {
        let revision = header.map_or(0, etcd_client::ResponseHeader::revision);
        self.answered
            .send_modify(|last| *last = revision.max(*last));
    }
}

/// A change may be here before the answer to its put. The suite's cancellation is of the work,
/// so work begins when the put is answered.
async fn receive(mut changes: Watcher, work: Work, mut answered: watch::Receiver<i64>) {
    let mut tasks = JoinSet::new();
    while let Some(Ok(change)) = changes.next().await {
        let revision = change.kv().unwrap().mod_revision();
        if answered.wait_for(|last| *last >= revision).await.is_err() {
            return;
        }
        tasks.spawn(process(change, work.clone()));
    }
}

async fn process(change: Received<Event>, work: Work) {
    let run = |event: Event| async move {
        let value = event.kv().unwrap().value().to_vec();
        work.run(value.into()).await
    };
    // The span has the failure.
    let _ = change.try_process(run).await;
}

/// An etcd that the tests of this binary share while any of them runs; killed with the last.
async fn shared_server() -> Arc<EtcdServer> {
    static SERVER: Mutex<Weak<EtcdServer>> = Mutex::const_new(Weak::new());
    let mut shared = SERVER.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(EtcdServer::start().await.unwrap());
    *shared = Arc::downgrade(&server);
    server
}
