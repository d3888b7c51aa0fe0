//! Bodies of streams, message by message.

use crate::companion::{MAX_LEN, PREFIX_LEN, frame, too_long};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body as TonicBody;

/// Maps a message; `None` leaves it as it is.
type Map = Box<dyn FnMut(&[u8]) -> Option<Bytes> + Send>;

pin_project! {
    /// A body whose messages are mapped, one data frame each.
    pub(crate) struct Messages {
        #[pin]
        inner: TonicBody,
        read: BytesMut,
        map: Map,
        // What comes when all that was read is handed on.
        end: Option<Result<Option<http::HeaderMap>, Status>>,
    }
}

impl Messages {
    pub(crate) fn new(
        inner: TonicBody,
        map: impl FnMut(&[u8]) -> Option<Bytes> + Send + 'static,
    ) -> Self {
        Self {
            inner,
            read: BytesMut::new(),
            map: Box::new(map),
            end: None,
        }
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        loop {
            match message(this.read) {
                Ok(Some(whole)) => {
                    let mapped = match whole.split_first_chunk::<PREFIX_LEN>() {
                        Some(([0, ..], message)) => (this.map)(message),
                        _ => None,
                    };
                    let mapped = mapped.and_then(|message| frame(&message));
                    return Poll::Ready(Some(Ok(Frame::data(mapped.unwrap_or(whole)))));
                }
                Ok(None) => {}
                Err(status) => {
                    this.read.clear();
                    *this.end = Some(Ok(None));
                    return Poll::Ready(Some(Err(status)));
                }
            }
            if let Some(end) = this.end {
                // What is cut short is handed on as it is: the reader says so.
                if !this.read.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(this.read.split().freeze()))));
                }
                let end = std::mem::replace(end, Ok(None));
                return Poll::Ready(end.transpose().map(|end| end.map(Frame::trailers)));
            }
            *this.end = match ready!(this.inner.as_mut().poll_frame(cx)) {
                None => Some(Ok(None)),
                Some(Err(status)) => Some(Err(status)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.read.extend_from_slice(&data);
                        None
                    }
                    Err(frame) => Some(Ok(frame.into_trailers().ok())),
                },
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() && self.read.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Takes the first message, with its prefix, once all of it is there.
pub(super) fn message(read: &mut BytesMut) -> Result<Option<Bytes>, Status> {
    let Some([_, length @ ..]) = read.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_LEN {
        return Err(too_long(length, MAX_LEN));
    }
    let whole = PREFIX_LEN + length;
    Ok((read.len() >= whole).then(|| read.split_to(whole).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http_body_util::{BodyExt, Full, StreamBody};
    use proptest::prelude::*;
    use std::pin::pin;
    use tonic::Code;

    /// A body in pieces of this size.
    fn pieces(bytes: &[u8], size: usize) -> TonicBody {
        let pieces: Vec<_> = bytes
            .chunks(size.max(1))
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        TonicBody::new(StreamBody::new(Pieces(pieces.into_iter())))
    }

    struct Pieces(std::vec::IntoIter<Result<Frame<Bytes>, Status>>);

    impl futures_core::Stream for Pieces {
        type Item = Result<Frame<Bytes>, Status>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.next())
        }
    }

    async fn collect(body: impl Body<Data = Bytes, Error = Status>) -> Result<Bytes, Status> {
        Ok(body.collect().await?.to_bytes())
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match pin!(future).poll(&mut cx) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("these bodies are all there"),
        }
    }

    proptest! {
        #[test]
        fn messages_are_mapped_wherever_they_are_split(
            messages: Vec<Vec<u8>>, size in 1..16usize, cut in 0..6usize,
        ) {
            let framed = |messages: &[Vec<u8>]| {
                let framed = messages.iter().map(|message| frame(message).unwrap());
                framed.collect::<Vec<_>>().concat()
            };
            let longer = |message: &[u8]| [message, b"!"].concat();
            let sent = framed(&messages);
            // What is cut short stays as it is.
            let whole = if cut == 0 { messages.len() } else { messages.len().saturating_sub(1) };
            let last = messages.get(whole).map_or(0, |last| last.len() + PREFIX_LEN);
            let rest = &sent[sent.len() - last..];
            let rest = &rest[..rest.len().saturating_sub(cut)];
            let mapped: Vec<_> = messages[..whole].iter().map(|m| longer(m)).collect();
            let expected = [&framed(&mapped)[..], rest].concat();
            let sent = &sent[..sent.len() - last + rest.len()];
            let body = Messages::new(pieces(sent, size), move |m| Some(longer(m).into()));
            prop_assert_eq!(block_on(collect(body)).unwrap(), expected);
        }
    }

    #[test]
    fn trailers_and_compressed_messages_pass() {
        let sent = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        let trailers = sent.clone();
        let body = Full::new(Bytes::from_static(b"\x01\0\0\0\x01x"));
        let body = TonicBody::new(body.with_trailers(async { Some(Ok(trailers)) }));
        let body = Messages::new(body, |_| Some(Bytes::new()));
        let body = block_on(body.collect()).unwrap();
        assert_eq!(body.trailers(), Some(&sent));
        assert_eq!(body.to_bytes(), &b"\x01\0\0\0\x01x"[..]);
    }

    #[test]
    fn a_message_that_is_too_long_is_not_waited_for() {
        let body = Messages::new(pieces(b"\0\xff\xff\xff\xff", 5), |_| None);
        let status = block_on(collect(body)).unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange);
    }
}
