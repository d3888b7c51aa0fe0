//! Keeps the exporter's own noise out of the application's logs.
//!
//! The exporter uses the crates that the application uses, so their events cannot be told apart by
//! target. They can by thread: on the export thread this is the `tracing` subscriber, and it
//! passes on nothing but what OpenTelemetry has to say about lost spans.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::dispatcher::{self, DefaultGuard};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Silences threads.
#[derive(Clone, Debug)]
pub(super) struct Quiet {
    dispatch: Dispatch,
    application: Arc<Mutex<Dispatch>>,
}

impl Quiet {
    pub(super) fn new() -> Self {
        let application = Arc::new(Mutex::new(Dispatch::none()));
        let dispatch = Dispatch::new(LossesOnly {
            application: application.clone(),
        });
        Self {
            dispatch,
            application,
        }
    }

    /// Silences this thread as long as the guard lives.
    pub(super) fn enter(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// Remembers the subscriber of this thread, which is not a silenced one, as the application's.
    /// It may be installed long after the export thread has started.
    pub(super) fn remember_application(&self) {
        let current = dispatcher::get_default(Dispatch::clone);
        *self
            .application
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = current;
    }
}

#[derive(Debug)]
struct LossesOnly {
    application: Arc<Mutex<Dispatch>>,
}

impl Subscriber for LossesOnly {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::WARN
            && metadata.target().starts_with("opentelemetry")
    }

    fn event(&self, event: &Event<'_>) {
        let application = self
            .application
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if application.enabled(event.metadata()) {
            application.event(event);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Never called: no span is enabled.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
