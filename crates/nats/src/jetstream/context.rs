use crate::Client;
use crate::settings::Settings;
use async_nats::jetstream;
use std::ops::Deref;
use std::sync::Arc;

/// An [`async_nats::jetstream::Context`] that carries trace context. Cheap to clone.
///
/// Reads as the context itself, so that what has no part in tracing is there as ever.
#[derive(Clone, Debug)]
#[must_use]
pub struct Context {
    inner: jetstream::Context,
    pub(crate) settings: Arc<Settings>,
}

impl Context {
    /// Wraps `inner`, with what `client` has been told: its tracer, propagation, trust, relation
    /// and subject templates.
    pub fn new(client: &Client, inner: jetstream::Context) -> Self {
        Self {
            inner,
            settings: client.settings().clone(),
        }
    }

    /// The context alone.
    #[must_use]
    pub fn into_inner(self) -> jetstream::Context {
        self.inner
    }
}

impl Deref for Context {
    type Target = jetstream::Context;

    fn deref(&self) -> &jetstream::Context {
        &self.inner
    }
}
