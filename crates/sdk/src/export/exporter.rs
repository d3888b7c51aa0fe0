//! Runs an OTLP exporter on the export thread, for a batch processor on another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;

use super::failure::{self, Network};
use super::quiet::Quiet;
use super::thread::ExportThread;
use super::transport;
use crate::InitError;
use crate::settings::Target;

/// An exporter whose connections live on the export thread.
#[derive(Debug)]
pub(super) struct Exporter {
    inner: Arc<Otlp>,
    name: Arc<str>,
    network: Network,
    runtime: Handle,
    quiet: Quiet,
    unsent: Arc<Unsent>,
}

impl Exporter {
    /// Has to be called within the runtime of `thread`.
    pub(super) fn build(
        target: &Target,
        thread: &ExportThread,
        unsent: &Arc<Unsent>,
    ) -> Result<Self, InitError> {
        let network = Network::default();
        Ok(Self {
            inner: Arc::new(transport::build(target, &network)?),
            name: failure::name(target),
            network,
            runtime: thread.runtime().clone(),
            quiet: thread.quiet().clone(),
            unsent: unsent.clone(),
        })
    }

    /// The endpoint and the protocol, to be shown.
    pub(super) fn name(&self) -> Arc<str> {
        self.name.clone()
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.quiet.remember_application();
        let spans = batch.len();
        let inner = self.inner.clone();
        let sent = self
            .runtime
            .spawn(async move { inner.export(batch).await })
            .await;
        let result = sent.unwrap_or_else(|_| {
            Err(OTelSdkError::InternalFailure(
                "given up at shutdown".to_owned(),
            ))
        });
        // What failed before a retry that succeeded is nobody's concern.
        let cause = self.network.take();
        result.map_err(|error| {
            let error = failure::explained(error, &self.name, cause);
            self.unsent.add(spans, self.name(), copy(&error));
            error
        })
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nothing is being exported yet, so there is no other reference.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

/// Spans that were lost because a request failed, over all endpoints.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    spans: AtomicU64,
    last: Mutex<Option<(Arc<str>, OTelSdkError)>>,
}

impl Unsent {
    fn add(&self, spans: usize, endpoint: Arc<str>, error: OTelSdkError) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((endpoint, error));
        self.spans.fetch_add(spans as u64, Ordering::Release);
    }

    pub(crate) fn spans(&self) -> u64 {
        self.spans.load(Ordering::Acquire)
    }

    /// The last failure and its endpoint, once.
    pub(crate) fn take_last(&self) -> Option<(Arc<str>, OTelSdkError)> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// The SDK's error is not `Clone`.
fn copy(error: &OTelSdkError) -> OTelSdkError {
    match error {
        OTelSdkError::AlreadyShutdown => OTelSdkError::AlreadyShutdown,
        OTelSdkError::Timeout(timeout) => OTelSdkError::Timeout(*timeout),
        OTelSdkError::InternalFailure(reason) => OTelSdkError::InternalFailure(reason.clone()),
    }
}
