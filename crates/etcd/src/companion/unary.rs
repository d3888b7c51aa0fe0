//! Unary gRPC bodies: one message, uncompressed.

use bytes::{BufMut, Bytes, BytesMut};
use dynamo_trace_grpc::status;
use http::{HeaderMap, Response, response};
use http_body_util::{BodyExt, Full};
use std::future::ready;
use tonic::body::Body;
use tonic::{Code, Status};

/// Compressed flag and length.
const PREFIX_LEN: usize = 5;

/// The one message of `body`; `None` where it is not one, or is compressed.
pub(super) fn message(body: &Bytes) -> Option<Bytes> {
    let ([0, length @ ..], message) = body.split_first_chunk::<PREFIX_LEN>()? else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length == message.len()).then(|| body.slice_ref(message))
}

/// A body of this one message; `None` above 4 GiB.
pub(super) fn frame(message: &[u8]) -> Option<Bytes> {
    let mut body = BytesMut::with_capacity(PREFIX_LEN + message.len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).ok()?);
    body.put_slice(message);
    Some(body.freeze())
}

/// A response whose body is all there.
pub(super) struct Unary {
    head: response::Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Unary {
    /// Waits for the end of the body.
    pub(super) async fn collect(response: Response<Body>) -> Result<Self, Status> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned();
        Ok(Self {
            head,
            body: body.to_bytes(),
            trailers,
        })
    }

    pub(super) fn code(&self) -> Option<Code> {
        let trailers = self.trailers.as_ref().and_then(status::of);
        trailers.or_else(|| status::of(&self.head.headers))
    }

    /// Replaces the message; `None` where there is no message to replace.
    pub(super) fn map(mut self, map: impl FnOnce(Bytes) -> Option<Bytes>) -> Option<Self> {
        self.body = frame(&map(message(&self.body)?)?)?;
        Some(self)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self {
            head,
            body,
            trailers,
        } = self;
        let body = Full::new(body);
        let body = match trailers {
            Some(trailers) => Body::new(body.with_trailers(ready(Some(Ok(trailers))))),
            // Known to be at its end: nobody polls an empty one.
            None => Body::new(body),
        };
        Response::from_parts(head, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_and_nothing_else() {
        let body = frame(b"message").unwrap();
        assert_eq!(message(&body).unwrap(), "message");
        assert_eq!(message(&body.slice(..3)), None);
        assert_eq!(message(&body.slice(..body.len() - 1)), None);
        let two = [&body[..], &body[..]].concat().into();
        assert_eq!(message(&two), None);
        assert_eq!(message(&Bytes::from_static(b"\x01\0\0\0\0")), None);
    }
}
