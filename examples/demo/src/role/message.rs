//! What the roles say to each other. The trace context is in none of it: it travels in the
//! headers of each transport.

use serde::{Deserialize, Serialize};

/// The NATS subject of prefill requests; workers share it by a queue group.
pub(super) const PREFILL: &str = "prefill";

/// The NATS subject of one decode worker.
pub(super) fn decode_subject(worker: &str) -> String {
    format!("decode.{worker}")
}

/// Where the sessions of one decode worker stand in etcd.
pub(super) fn sessions(worker: &str) -> String {
    format!("sessions/{worker}/")
}

/// A request to a prefill worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Prefill {
    pub(super) request_id: String,
    pub(super) worker: String,
    pub(super) prompt: String,
}

/// What a prefill worker leaves in etcd for a decode worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) seed: u64,
}

/// A request to a decode worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Decode {
    pub(super) request_id: String,
    pub(super) max_tokens: u32,
    /// Where the tokens go.
    pub(super) connect_to: String,
}

/// The first frame of a token stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handshake {
    pub(super) request_id: String,
}

/// The frames after it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Chunk {
    Token(String),
    Done,
}
