//! `error.type` of what services and bodies fail with.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::iter::successors;

/// `error.type`: the kind of the [`io::Error`] among the error's sources (`connection_refused`),
/// else the name of the error's Rust type, else `_OTHER` for a boxed error.
pub fn error_type<E: 'static>(error: &E) -> Cow<'static, str> {
    if let Some(kind) = as_error(error).and_then(io_kind) {
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
/// boxed error, an [`io::Error`], and with the features `axum` and `hyper-util` theirs.
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
        // The source of an `io::Error` is that of the error in it.
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
