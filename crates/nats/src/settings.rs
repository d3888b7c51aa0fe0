use crate::subject::Subjects;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Instrumentation, Trust};

/// What a client, and all that is made of it, has been told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) instrumentation: Instrumentation,
    pub(crate) trust: Trust,
    pub(crate) relation: RelationRule,
    pub(crate) subjects: Subjects,
    pub(crate) supports_headers: bool,
}
