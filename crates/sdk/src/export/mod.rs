//! Export: from a span's end to the collector.
//!
//! ```text
//! span ends ─▶ Batches ─▶ one queue and thread  ─▶ Exporter ─▶ the export thread ─▶ collector
//!                         for each endpoint (SDK)              (one tokio runtime)
//! ```
//!
//! The transports need a `tokio` runtime, and the SDK's batch threads have none. Borrowing the
//! application's would deadlock on shutdown: there it may have a single thread, which is the one
//! that waits. So every connection lives on a runtime of our own, on one thread, where it works
//! the same from any runtime or none.

mod batches;
mod exporter;
mod failure;
mod quiet;
mod thread;
mod transport;

use std::sync::Arc;

use opentelemetry_sdk::Resource;

use crate::InitError;
use crate::settings::{Batching, Target};

pub(crate) use batches::{Batches, Failed, ToBatches};
use exporter::Exporter;
pub(crate) use exporter::Unsent;
pub(crate) use thread::ExportThread;

/// The way from the provider to the collectors.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) thread: ExportThread,
    pub(crate) batches: Arc<Batches>,
    pub(crate) unsent: Arc<Unsent>,
}

impl Export {
    pub(crate) fn start(
        targets: &[Target],
        batching: Batching,
        resource: &Resource,
    ) -> Result<Self, InitError> {
        let thread = ExportThread::start().map_err(InitError::Thread)?;
        let unsent = Arc::default();
        let exporters = thread.enter(|| {
            let built = targets
                .iter()
                .map(|target| Exporter::build(target, &thread, &unsent));
            built.collect::<Result<Vec<_>, InitError>>()
        })?;
        let batches = Arc::new(Batches::new(exporters, batching, resource));
        Ok(Self {
            thread,
            batches,
            unsent,
        })
    }
}
