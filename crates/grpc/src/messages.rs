//! Messages are counted by their prefixes: a flag and a length (gRPC over HTTP/2,
//! "Length-Prefixed-Message").

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use tonic::body::Body;

/// The bytes in front of a message.
const PREFIX: usize = 5;

/// The flag of trailers, which gRPC-Web sends as a last message.
const TRAILERS: u8 = 0x80;

/// How many messages of a stream have begun, however its chunks are cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    count: i64,
    /// The part of a prefix that the last chunk ended with.
    prefix: [u8; PREFIX],
    filled: usize,
    /// What is left of the current message.
    left: u64,
    /// A chunk could not be looked into.
    lost: bool,
}

impl Messages {
    pub(crate) fn count(&mut self, data: &impl Buf) {
        let mut chunk = data.chunk();
        self.lost |= chunk.len() != data.remaining();
        if self.lost {
            return;
        }
        while !chunk.is_empty() {
            let skipped = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(chunk.len());
            self.left -= skipped as u64;
            chunk = chunk.get(skipped..).unwrap_or_default();
            while self.left == 0
                && let Some((first, rest)) = chunk.split_first()
            {
                chunk = rest;
                self.push(*first);
            }
        }
    }

    /// Takes a byte of a prefix.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.prefix.get_mut(self.filled) {
            *place = byte;
        }
        self.filled += 1;
        if self.filled == PREFIX {
            let [flags, a, b, c, d] = self.prefix;
            self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
            self.filled = 0;
            self.count += i64::from(flags & TRAILERS == 0);
        }
    }

    /// Gives up: these are no messages.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
    }

    /// How many, unless some could not be counted.
    pub(crate) fn total(&self) -> Option<i64> {
        (!self.lost).then_some(self.count)
    }
}

/// The count of the messages of a request, whose body others read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<AtomicI64>);

impl Requests {
    /// What the body is not counted.
    const LOST: i64 = -1;

    pub(crate) fn count(&self) -> Option<i64> {
        let count = self.0.load(Ordering::Relaxed);
        (count >= 0).then_some(count)
    }
}

pin_project! {
    /// The body of a request whose messages are counted.
    pub(crate) struct Counted {
        #[pin]
        inner: Body,
        messages: Messages,
        requests: Requests,
    }
}

impl Counted {
    /// Puts itself around tonic's body; of any other nothing is known.
    pub(crate) fn put_around<B: 'static>(body: &mut B, requests: &Requests) {
        match (body as &mut dyn Any).downcast_mut::<Body>() {
            Some(body) => {
                let counted = Self {
                    inner: std::mem::take(body),
                    messages: Messages::default(),
                    requests: requests.clone(),
                };
                *body = Body::new(counted);
            }
            None => requests.0.store(Requests::LOST, Ordering::Relaxed),
        }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.messages.count(data);
            let total = this.messages.total().unwrap_or(Requests::LOST);
            this.requests.0.store(total, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        for length in [0u32, 1, 4, 5, 6, 300, 0] {
            stream.push(0);
            stream.extend_from_slice(&length.to_be_bytes());
            stream.extend(std::iter::repeat_n(0xff, length as usize));
        }
        for cut in 1..=stream.len() {
            let mut messages = Messages::default();
            for chunk in stream.chunks(cut) {
                messages.count(&chunk);
            }
            assert_eq!(messages.total(), Some(7), "chunks of {cut}");
        }
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_counted() {
        let mut messages = Messages::default();
        let whole: &[u8] = &[0, 0, 0, 0, 0];
        messages.count(&whole);
        messages.count(&whole.chain(whole));
        assert_eq!(messages.total(), None);
    }
}
