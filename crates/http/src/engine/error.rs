//! `error.type` of what services and bodies fail with.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::iter::successors;

/// `error.type`: the kind of the [`io::Error`] among the error's sources (`connection_refused`),
/// else what hyper and reqwest tell of it (with the features `hyper-util` and `reqwest`), else the
/// name of the error's Rust type, else `_OTHER` for a boxed error.
pub fn error_type<E: 'static>(error: &E) -> Cow<'static, str> {
    let known = as_error(error);
    if let Some(kind) = known.and_then(io_kind) {
        return kind.into();
    }
    #[cfg(feature = "hyper-util")]
    if known.is_some_and(is_incomplete) {
        return "incomplete_message".into();
    }
    #[cfg(feature = "reqwest")]
    if let Some(kind) = known.and_then(crate::reqwest::error::kind) {
        return kind.into();
    }
    // The name of a boxed error says nothing.
    let name = type_name::<E>();
    if name.contains("dyn ") {
        "_OTHER"
    } else {
        name
    }
    .into()
}

/// What `error` is, where its type is one of those that HTTP services and bodies fail with: a
/// boxed error, an [`io::Error`], and with the features `axum`, `hyper-util` and `reqwest` theirs.
///
/// Services are not bound to fail with an [`Error`]; a boxed one is none.
#[must_use]
pub fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**boxed);
    }
    #[cfg(feature = "axum")]
    if let Some(body) = error.downcast_ref::<axum::Error>() {
        return Some(body);
    }
    #[cfg(feature = "reqwest")]
    if let Some(error) = crate::reqwest::error::as_error(error) {
        return Some(error);
    }
    #[cfg(feature = "hyper-util")]
    {
        if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return Some(client);
        }
        if let Some(connection) = error.downcast_ref::<hyper::Error>() {
            return Some(connection);
        }
    }
    error.downcast_ref::<io::Error>().map(|error| error as _)
}

/// The error and what caused it, outermost first.
pub fn sources<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        // The source of an `io::Error` is that of the error in it, and so is a middleware's.
        #[cfg(feature = "reqwest")]
        if let Some(error) = error.downcast_ref().map(crate::reqwest::error::within) {
            return Some(error);
        }
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// The kind of the [`io::Error`] among the error and its sources, in the form of `error.type`.
#[must_use]
pub fn io_kind(error: &(dyn Error + 'static)) -> Option<String> {
    let errors = sources(error).filter_map(|error| error.downcast_ref::<io::Error>());
    let mut kinds = errors.map(|error| error.kind().to_string());
    let telling = kinds.find(|kind| kind != "other error" && kind != "uncategorized error");
    telling.map(|kind| kind.replace(' ', "_"))
}

/// Whether the connection was closed before the end of the message.
#[cfg(feature = "hyper-util")]
fn is_incomplete(error: &(dyn Error + 'static)) -> bool {
    let mut errors = sources(error).filter_map(|error| error.downcast_ref());
    errors.any(hyper::Error::is_incomplete_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    type BoxError = Box<dyn Error + Send + Sync>;

    #[test]
    fn an_io_error_is_known_by_its_kind() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(error_type(&refused()), "connection_refused");
        assert_eq!(error_type(&BoxError::from(refused())), "connection_refused");
        let wrapped = io::Error::other(io::Error::other(refused()));
        assert_eq!(error_type(&BoxError::from(wrapped)), "connection_refused");
    }

    #[test]
    fn any_other_error_is_known_by_its_type() {
        assert_eq!(error_type(&std::fmt::Error), "core::fmt::Error");
        assert_eq!(error_type(&io::Error::other("?")), "std::io::error::Error");
        assert_eq!(error_type(&BoxError::from("at 12:34:56")), "_OTHER");
    }
}
