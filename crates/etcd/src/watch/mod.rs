//! Watches: changes, and the context of what wrote them.
//!
//! - a response arrives: its events queue up in order; companions among them are taken out and
//!   serve those beside them.
//! - the other puts: their companions are read, several at a time, by their own revision
//!   ([`lookup`]), unless that takes too long ([`patience`]).
//! - an event at the front whose companion is known is handed on, as [`Received`].
//!
//! [`Received`]: dynamo_trace_core::Received

mod consumer;
mod lookup;
mod patience;
mod queue;
mod watcher;

pub use watcher::Watcher;
