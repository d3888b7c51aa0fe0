//! Unary gRPC bodies: one message, uncompressed.

use bytes::{BufMut, Bytes, BytesMut};
use dynamo_trace_grpc::status;
use http::{HeaderMap, Response, response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use std::future::ready;
use tonic::body::Body;
use tonic::{Code, Status};

/// Compressed flag and length.
pub(crate) const PREFIX_LEN: usize = 5;

/// The longest message that is waited for, in bytes. It bounds what a server can make a client
/// hold; tonic's limit, 4 MiB if not configured otherwise, is not known here and applies to what
/// is handed on.
pub(crate) const MAX_LEN: usize = 64 << 20;

/// The one message of `body`; `None` where it is not one, or is compressed.
pub(super) fn message(body: &Bytes) -> Option<Bytes> {
    let ([0, length @ ..], message) = body.split_first_chunk::<PREFIX_LEN>()? else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length == message.len()).then(|| body.slice_ref(message))
}

/// Whether what has been read so far can be the one message of a body.
fn within_limits(read: &[u8], max_len: usize) -> Result<(), Status> {
    let Some(([_, length @ ..], message)) = read.split_first_chunk::<PREFIX_LEN>() else {
        return Ok(());
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > max_len {
        return Err(too_long(length, max_len));
    }
    if message.len() > length {
        return Err(Status::internal(
            "more than one message in a unary response",
        ));
    }
    Ok(())
}

/// A message above the limit, as tonic says it.
pub(crate) fn too_long(length: usize, max_len: usize) -> Status {
    Status::out_of_range(format!(
        "Error, decoded message length too large: found {length} bytes, \
         the limit is: {max_len} bytes"
    ))
}

/// A body of this one message; `None` above 4 GiB.
pub(crate) fn frame(message: &[u8]) -> Option<Bytes> {
    let mut body = BytesMut::with_capacity(PREFIX_LEN + message.len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).ok()?);
    body.put_slice(message);
    Some(body.freeze())
}

/// The same of a message that is to be encoded.
pub(super) fn encode(message: &impl Message) -> Option<Bytes> {
    let length = message.encoded_len();
    let mut body = BytesMut::with_capacity(PREFIX_LEN + length);
    body.put_u8(0);
    body.put_u32(u32::try_from(length).ok()?);
    message.encode(&mut body).ok()?;
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
    ///
    /// # Errors
    ///
    /// `OUT_OF_RANGE`, as tonic says it, for a message above `max_len`, and `INTERNAL` for a
    /// body that goes on behind its message. Neither is read to its end.
    pub(super) async fn collect(response: Response<Body>, max_len: usize) -> Result<Self, Status> {
        let (head, mut body) = response.into_parts();
        let mut read = BytesMut::new();
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => {
                    read.extend_from_slice(&data);
                    within_limits(&read, max_len)?;
                }
                Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
            }
        }
        Ok(Self {
            head,
            body: read.freeze(),
            trailers,
        })
    }

    pub(super) fn code(&self) -> Option<Code> {
        let trailers = self.trailers.as_ref().and_then(status::of);
        trailers.or_else(|| status::of(&self.head.headers))
    }

    /// What the server says about a failure.
    pub(super) fn failure(&self) -> String {
        let trailers = self.trailers.as_ref().and_then(Status::from_header_map);
        let status = trailers.or_else(|| Status::from_header_map(&self.head.headers));
        status.map_or_else(String::new, |status| status.message().to_owned())
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
    use std::future::pending;
    use std::time::Duration;

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

    /// What comes of a body that begins like this and never ends.
    async fn endless(data: Bytes) -> Option<Code> {
        let body = Body::new(Full::new(data).with_trailers(pending()));
        let collect = Unary::collect(Response::new(body), MAX_LEN);
        let collected = tokio::time::timeout(Duration::from_millis(100), collect).await;
        Some(collected.ok()?.err().unwrap().code())
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_the_message_is_not_waited_for() {
        let message = frame(b"message").unwrap();
        let two = [&message[..], &message[..1]].concat().into();
        let announced = |length: usize| {
            let [.., a, b, c, d] = length.to_be_bytes();
            Bytes::from(vec![0, a, b, c, d])
        };
        assert_eq!(endless(message).await, None);
        assert_eq!(endless(announced(MAX_LEN)).await, None);
        assert_eq!(endless(two).await, Some(Code::Internal));
        for length in [MAX_LEN + 1, u32::MAX as usize] {
            assert_eq!(endless(announced(length)).await, Some(Code::OutOfRange));
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_is_handed_on_whole() {
        let sent = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        let trailers = sent.clone();
        let body = Full::new(frame(b"message").unwrap());
        let body = Body::new(body.with_trailers(async { Some(Ok(trailers)) }));
        let read = Unary::collect(Response::new(body), MAX_LEN).await.unwrap();
        assert_eq!(read.code(), Some(Code::Ok));
        let body = read.into_response().into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&sent));
        assert_eq!(body.to_bytes(), frame(b"message").unwrap());
    }
}
