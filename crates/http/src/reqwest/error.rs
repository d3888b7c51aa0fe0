//! What reqwest and its middleware fail with.

use crate::engine::error::sources;
use reqwest_middleware::Error as MiddlewareError;
use std::any::Any;
use std::error::Error;

/// A `reqwest::Error`, or what an error of a middleware stands for.
pub(crate) fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    match error.downcast_ref::<MiddlewareError>() {
        Some(error) => Some(within(error)),
        None => error.downcast_ref::<reqwest::Error>().map(|e| e as _),
    }
}

/// The error of which this one is nothing but another type: it does not count it as its source.
pub(crate) fn within(error: &MiddlewareError) -> &(dyn Error + 'static) {
    match error {
        MiddlewareError::Reqwest(error) => error,
        MiddlewareError::Middleware(error) => {
            let error: &(dyn Error + Send + Sync) = error.as_ref();
            error
        }
    }
}

/// `error.type` of a failure of which reqwest tells the kind.
pub(crate) fn kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut errors = sources(error).filter_map(|error| error.downcast_ref::<reqwest::Error>());
    errors.find_map(|error| {
        let kinds = [
            (error.is_timeout(), "timed_out"),
            (error.is_dns(), "dns_error"),
            (error.is_connect(), "connect_error"),
            (error.is_redirect(), "redirect_error"),
            (error.is_builder(), "builder_error"),
        ];
        kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
    })
}
