use super::bucket::Bucket;
use crate::jetstream::Context;
use async_nats::jetstream::{self, kv};
use std::ops::Deref;
use std::sync::Arc;

/// An [`async_nats::jetstream::kv::Store`] that carries trace context. Cheap to clone.
///
/// Reads as the store itself, so that what has no part in tracing (`status`, `stream`) is there
/// as ever. The methods here hide those of the same name; see the [module](super) for the spans.
#[derive(Clone, Debug)]
#[must_use]
pub struct Store {
    pub(super) inner: kv::Store,
    pub(super) context: jetstream::Context,
    pub(super) bucket: Arc<Bucket>,
}

impl Store {
    /// Wraps `inner`, which was made by `context`, with what the context's client has been told.
    /// What the store writes is published by `context`.
    pub fn new(context: &Context, inner: kv::Store) -> Self {
        Self {
            bucket: Arc::new(Bucket::new(context.settings.clone(), &inner)),
            context: (**context).clone(),
            inner,
        }
    }

    /// The store alone.
    #[must_use]
    pub fn into_inner(self) -> kv::Store {
        self.inner
    }
}

impl Deref for Store {
    type Target = kv::Store;

    fn deref(&self) -> &kv::Store {
        &self.inner
    }
}
