use crate::attributes::Connection;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Trust};

/// What a codec, its sender and its received frames share.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) instrumentation: Instrumentation,
    pub(crate) trust: Trust,
    pub(crate) relation: RelationRule,
    pub(crate) connection: Connection,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instrumentation: Instrumentation::global(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ),
            trust: Trust::default(),
            relation: RelationRule::default(),
            connection: Connection::default(),
        }
    }
}
