//! Nothing is measured without the feature `metrics`.

use super::super::Measures;
use dynamo_trace_core::Ending;
use opentelemetry::KeyValue;
use std::time::Duration;

/// No instruments.
#[derive(Clone, Debug)]
pub(crate) struct Meters;

impl Meters {
    pub(crate) const fn none() -> Self {
        Self
    }

    pub(crate) const fn are_there(&self) -> bool {
        false
    }

    pub(crate) fn start(&self, _: bool, _: impl FnOnce() -> Measures) -> Measure {
        Measure
    }
}

/// Nothing under way.
#[derive(Debug)]
pub(crate) struct Measure;

impl Measure {
    pub(crate) const fn is_running(&self) -> bool {
        false
    }

    pub(crate) fn add(&mut self, _: &KeyValue) {}

    pub(crate) fn end(&mut self, _: &Ending, _: Duration) {}
}
