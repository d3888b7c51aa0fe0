use super::filter::{Filter, TrustBy};
use super::metrics::Meters;
use super::{RequestHead, Semantics};
use dynamo_trace_core::{Instrumentation, Propagation, Trust};
use http::Request;
use std::fmt;
use std::sync::Arc;

/// What a layer works with.
#[derive(Clone, Debug)]
pub struct Settings<M> {
    pub(super) instrumentation: Instrumentation,
    pub(super) trust: TrustPolicy,
    pub(super) filter: Option<Filter>,
    pub(super) meters: Meters,
    pub(crate) semantics: M,
}

#[derive(Clone, Debug)]
pub(super) enum TrustPolicy {
    All(Trust),
    By(TrustBy),
}

impl<M: Semantics> Settings<M> {
    /// The global tracer provider and propagation, callers that are trusted, and these semantics.
    pub fn new(semantics: M) -> Self {
        let (name, version) = M::SCOPE;
        Self {
            instrumentation: Instrumentation::global(name, version),
            trust: TrustPolicy::All(Trust::trusted()),
            filter: None,
            meters: Meters::none(),
            semantics,
        }
    }

    pub(super) fn propagation(&self) -> &Propagation {
        self.instrumentation.propagation()
    }

    pub(super) fn wants<B>(&self, request: &Request<B>) -> bool {
        match &self.filter {
            Some(filter) => (filter.0)(RequestHead::of(request)),
            None => true,
        }
    }
}

/// Where a layer has its [`Settings`]: nowhere, as long as they are the [`Defaults`].
pub trait Configured<M: Semantics>: Clone + fmt::Debug + Send + Sync + 'static {
    /// The settings.
    fn settings(&self) -> &Settings<M>;

    /// The settings, to change them.
    fn into_settings(self) -> Settings<M>;
}

/// The settings that every layer begins with. Of no size, so that routers, which clone their
/// layers for every request, have nothing to allocate for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults;

impl<M: Semantics> Configured<M> for Defaults {
    fn settings(&self) -> &Settings<M> {
        M::defaults()
    }

    fn into_settings(self) -> Settings<M> {
        M::defaults().clone()
    }
}

/// Settings of one's own, shared by all clones.
#[derive(Clone, Debug)]
pub struct Custom<M>(pub(super) Arc<Settings<M>>);

impl<M: Semantics> Configured<M> for Custom<M> {
    fn settings(&self) -> &Settings<M> {
        &self.0
    }

    fn into_settings(self) -> Settings<M> {
        Arc::unwrap_or_clone(self.0)
    }
}
