//! The head of a request, as the engine takes it. Headers and extensions are moved into it and
//! back: a request that reqwest converts to one of `http` and back has lost the fragment of its
//! URL, and whether it has a body.

use crate::resend::Sends;
use http::header::CONTENT_LENGTH;
use http::{Extensions, HeaderValue, Uri};
use http_body::Body as _;
use reqwest::{Body, Request};
use std::mem;

/// Moves the head out of a request that was sent this often before.
pub(super) fn take(
    request: &mut Request,
    extensions: &mut Extensions,
    before: u32,
) -> http::Request<()> {
    let mut head = http::Request::new(());
    *head.method_mut() = request.method().clone();
    // What is no URI reqwest will not send.
    *head.uri_mut() = Uri::try_from(request.url().as_str()).unwrap_or_default();
    *head.version_mut() = request.version();
    *head.headers_mut() = mem::take(request.headers_mut());
    *head.extensions_mut() = mem::take(extensions);
    if before > 0 {
        head.extensions_mut().insert(Sends::after(before));
    }
    head
}

/// Adds the `content-length` that hyper will add when it sends this body. Tells whether it did.
pub(super) fn lend_length(head: &mut http::Request<()>, body: Option<&Body>) -> bool {
    let length = body.and_then(|body| body.size_hint().exact());
    match length {
        Some(length) if !head.headers().contains_key(CONTENT_LENGTH) => {
            // `try_insert`: a map at its limit of 32,768 headers must not panic the caller.
            let length = HeaderValue::from(length);
            head.headers_mut()
                .try_insert(CONTENT_LENGTH, length)
                .is_ok()
        }
        _ => false,
    }
}

/// Moves the head back, with what the engine put on it for the wire.
pub(super) fn give_back(
    head: http::Request<()>,
    lent_length: bool,
    request: &mut Request,
    extensions: &mut Extensions,
) {
    let (parts, ()) = head.into_parts();
    *request.headers_mut() = parts.headers;
    if lent_length {
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    *extensions = parts.extensions;
    extensions.remove::<Sends>();
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn headers_without_room_lend_nothing() {
        let mut head = http::Request::new(());
        let other = || HeaderValue::from_static("other");
        for number in 0.. {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            if head.headers_mut().try_insert(name, other()).is_err() {
                break;
            }
        }
        assert!(!lend_length(&mut head, Some(&Body::from("body"))));
        head.headers_mut().clear();
        assert!(lend_length(&mut head, Some(&Body::from("body"))));
    }
}
