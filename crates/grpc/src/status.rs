//! gRPC status codes, where they stand and which of them are errors.

use h2::Reason;
use http::{HeaderMap, HeaderName, StatusCode};
use tonic::Code;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The code that `grpc-status` holds, in headers or trailers.
#[must_use]
pub fn of(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(&GRPC_STATUS)
        .map(|status| Code::from_bytes(status.as_bytes()))
}

/// The code that a client makes of an HTTP status where there is no `grpc-status`
/// ([gRPC: HTTP to gRPC status code mapping]).
///
/// [gRPC: HTTP to gRPC status code mapping]:
///     https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
#[must_use]
pub const fn of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The code that a client makes of a stream's reset (gRPC over HTTP/2, "Errors"); `UNKNOWN` for
/// what is not listed there.
pub(crate) const fn of_reset(reason: Reason) -> Code {
    match reason {
        Reason::NO_ERROR
        | Reason::PROTOCOL_ERROR
        | Reason::INTERNAL_ERROR
        | Reason::FLOW_CONTROL_ERROR
        | Reason::SETTINGS_TIMEOUT
        | Reason::FRAME_SIZE_ERROR
        | Reason::COMPRESSION_ERROR
        | Reason::CONNECT_ERROR => Code::Internal,
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Unknown,
    }
}

/// The name of a code, as the semantic conventions have it.
#[must_use]
pub const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether the code is an error to the client: every one but `OK`.
#[must_use]
pub const fn is_client_error(code: Code) -> bool {
    !matches!(code, Code::Ok)
}

/// Whether the code is an error to the server: those that are not the caller's doing.
#[must_use]
pub const fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
