//! The database semantic conventions (stable), and the messaging ones for changes.

pub use opentelemetry_semantic_conventions::attribute::{
    DB_COLLECTION_NAME, DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_RESPONSE_STATUS_CODE,
    DB_SYSTEM_NAME, MESSAGING_DESTINATION_NAME, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM, SERVER_ADDRESS, SERVER_PORT,
};

/// The value of [`DB_SYSTEM_NAME`] and [`MESSAGING_SYSTEM`]: the lowercase name of the product,
/// as the conventions ask of systems that they do not list.
pub const ETCD: &str = "etcd";
/// The port that needs no [`SERVER_PORT`].
pub const DEFAULT_PORT: u16 = 2379;
/// What a change did to its key: `put` or `delete`.
pub const CHANGE_TYPE: &str = "dynamo_trace.etcd.change.type";
/// The revision of the store that a change made.
pub const CHANGE_REVISION: &str = "dynamo_trace.etcd.change.revision";
/// What became of an instance: `joined`, `updated` or `left`.
pub const INSTANCE_CHANGE: &str = "dynamo_trace.etcd.instance.change";
/// How long after a put its watcher noticed it, in seconds, by the clocks of both.
pub const INSTANCE_NOTICED_AFTER: &str = "dynamo_trace.etcd.instance.noticed_after";
/// Which time an instance is registered: 1, and one more after each loss of its lease.
pub const REGISTRATION_COUNT: &str = "dynamo_trace.etcd.registration.count";
/// What the link of a change leads to, where that is not who made the change: `last_writer`, of a
/// key that was deleted by an unknown hand, or with its lease.
pub const CHANGE_LINK: &str = "dynamo_trace.etcd.change.link";
/// `true` where a key with a lease was deleted by an unknown hand: the lease has ended, unless
/// a client without this crate deleted the key. Known where the last writer is, and where the
/// watch asks for the previous pair.
pub const CHANGE_LEASED: &str = "dynamo_trace.etcd.change.leased";
