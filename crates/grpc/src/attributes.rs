//! The RPC semantic conventions (release candidate), as of version 1.42.

pub use opentelemetry_semantic_conventions::attribute::{
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, SERVER_ADDRESS, SERVER_PORT,
};

/// Always `grpc`.
pub const RPC_SYSTEM_NAME: &str = "rpc.system.name";
/// `{package}.{Service}/{Method}`, or `_OTHER` for a method that the server does not know.
pub const RPC_METHOD: &str = "rpc.method";
/// What a caller asked for where that is not known: at most 256 bytes.
pub const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
/// The status by name: `OK`, `NOT_FOUND`. Later versions of the conventions call it
/// `rpc.status_code`.
pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
/// How many messages the client sent. Opt-in.
pub const REQUEST_MESSAGES: &str = "dynamo_trace.rpc.request.messages";
/// How many messages the server sent. Opt-in.
pub const RESPONSE_MESSAGES: &str = "dynamo_trace.rpc.response.messages";
