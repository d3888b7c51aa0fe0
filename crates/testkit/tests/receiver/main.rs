//! The receiver, spoken to in raw OTLP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test"
)]

mod fields;
mod keeping;
mod listening;
mod otlp;
mod refusing;
mod waiting;
