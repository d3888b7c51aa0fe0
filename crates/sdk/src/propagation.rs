//! Installs propagation: OpenTelemetry's own default is none at all, which cuts every trace.

use dynamo_trace_core::{Format, Propagation};

use crate::id_generator::RootIds;

/// For this library's adapters, and for everything that asks OpenTelemetry.
pub(crate) fn install(formats: Vec<Format>) {
    let propagation = Propagation::of(formats).random_trace_ids(RootIds::made_here);
    opentelemetry::global::set_text_map_propagator(propagation.clone());
    if propagation.set_global().is_err() {
        tracing::warn!("a global propagation is installed already; it stays");
    }
}
