//! What services and bodies under tonic fail with, for adapters of what is built on gRPC.

use crate::status;
use dynamo_trace_http::engine::error::{self, sources};
use std::any::Any;
use std::error::Error;
use tonic::{Code, ConnectError, Status, TimeoutExpired, transport};

/// The code that tonic makes of the error for the caller, but for a deadline: that is
/// `CANCELLED` in tonic.
#[must_use]
pub fn code<E: 'static>(error: &E) -> Code {
    let code = as_error(error).and_then(|error| sources(error).find_map(known_code));
    code.unwrap_or(Code::Unknown)
}

/// Why the transport failed, if it was for I/O: as `error.type` has it.
#[must_use]
pub fn io_kind<E: 'static>(error: &E) -> Option<String> {
    as_error(error).and_then(error::io_kind)
}

fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status);
    }
    if let Some(transport) = error.downcast_ref::<transport::Error>() {
        return Some(transport);
    }
    error::as_error(error)
}

fn known_code(error: &(dyn Error + 'static)) -> Option<Code> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status.code());
    }
    if error.is::<TimeoutExpired>() {
        return Some(Code::DeadlineExceeded);
    }
    if error.is::<ConnectError>() {
        return Some(Code::Unavailable);
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
        if hyper.is_timeout() {
            return Some(Code::Unavailable);
        }
        if hyper.is_canceled() {
            return Some(Code::Cancelled);
        }
    }
    let reset = error.downcast_ref::<h2::Error>()?;
    reset.reason().map(status::of_reset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    type BoxError = Box<dyn Error + Send + Sync>;

    #[test]
    fn the_code_is_that_of_the_first_source_that_has_one() {
        assert_eq!(code(&Status::not_found("?")), Code::NotFound);
        assert_eq!(code(&BoxError::from(Status::aborted("?"))), Code::Aborted);
        let wrapped = io::Error::other(Status::data_loss("?"));
        assert_eq!(code(&wrapped), Code::DataLoss);
        assert_eq!(code(&TimeoutExpired(())), Code::Unknown, "not boxed");
        let expired = BoxError::from(TimeoutExpired(()));
        assert_eq!(code(&expired), Code::DeadlineExceeded);
        let reset = BoxError::from(h2::Error::from(h2::Reason::REFUSED_STREAM));
        assert_eq!(code(&reset), Code::Unavailable);
        assert_eq!(code(&BoxError::from("?")), Code::Unknown);
    }

    #[test]
    fn the_reason_of_a_failed_connection_is_its_io_error() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = BoxError::from(ConnectError(refused.into()));
        assert_eq!(code(&error), Code::Unavailable);
        assert_eq!(io_kind(&error).as_deref(), Some("connection_refused"));
    }
}
