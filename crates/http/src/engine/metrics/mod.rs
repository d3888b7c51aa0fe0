//! Durations and active calls, measured beside the spans.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;

#[cfg(not(feature = "metrics"))]
pub(super) use off::{Measure, Meters};
#[cfg(feature = "metrics")]
pub(super) use on::{Measure, Meters};
