//! A response, as the engine takes it: its head apart from the rest of it, which stays reqwest's
//! own unless the end of the body is waited for.

use crate::engine::{Configured, ResponseBody};
use crate::{ClientLayer, Http};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::{Body, Error, Response, ResponseBuilderExt};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response without its head: a body from the moment that it is polled as one.
#[derive(Debug)]
pub(super) struct Rest {
    whole: Option<Response>,
    body: Body,
}

/// Moves the head out of a response. The URL is only needed for one that has to be made anew.
pub(super) fn take_head(mut response: Response, with_url: bool) -> http::Response<Rest> {
    let url = with_url.then(|| response.url().clone());
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    *head.version_mut() = response.version();
    *head.headers_mut() = mem::take(response.headers_mut());
    *head.extensions_mut() = mem::take(response.extensions_mut());
    if let Some(url) = url {
        let mut builder = http::response::Builder::new().url(url);
        let url = builder.extensions_mut().map(mem::take);
        head.extensions_mut().extend(url.unwrap_or_default());
    }
    head.map(|()| Rest {
        whole: Some(response),
        body: Body::default(),
    })
}

/// The response as it was, or one with the body that the span waits for.
pub(super) fn give_back<C: Configured<Http>>(
    head: http::Response<ResponseBody<Rest, ClientLayer<C>>>,
) -> Response {
    let (mut parts, body) = head.into_parts();
    let body = match body.into_plain() {
        Ok(Rest {
            whole: Some(mut response),
            ..
        }) => {
            mem::swap(response.headers_mut(), &mut parts.headers);
            mem::swap(response.extensions_mut(), &mut parts.extensions);
            return response;
        }
        Ok(Rest { body, .. }) => body,
        Err(body) => Body::wrap(body),
    };
    http::Response::from_parts(parts, body).into()
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(response) = self.whole.take() {
            self.body = http::Response::from(response).into_body();
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        match &self.whole {
            Some(response) => response.content_length() == Some(0),
            None => self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.whole {
            Some(response) => {
                let length = response.content_length();
                length.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            None => self.body.size_hint(),
        }
    }
}
