use super::body::message;
use crate::companion::PREFIX_LEN;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body as TonicBody;

pin_project! {
    /// A body whose first message is looked at on its way.
    pub(crate) struct Announced<F> {
        #[pin]
        inner: TonicBody,
        look: Option<F>,
    }
}

impl<F> Announced<F> {
    pub(crate) const fn new(inner: TonicBody, look: F) -> Self {
        Self {
            inner,
            look: Some(look),
        }
    }
}

impl<F: FnOnce(&[u8])> Body for Announced<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Some(look) = this.look.take()
            // tonic sends what is encoded whole.
            && let Ok(Some(whole)) = message(&mut BytesMut::from(&data[..]))
            && let Some((_, first)) = whole.split_first_chunk::<PREFIX_LEN>()
        {
            look(first);
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
    use crate::companion::frame;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn the_first_message_is_seen_once_and_passes() {
        let sent = [frame(b"first").unwrap(), frame(b"second").unwrap()].concat();
        let mut seen = Vec::new();
        let body = TonicBody::new(Full::new(Bytes::from(sent.clone())));
        let body = Announced::new(body, |first: &[u8]| {
            seen.push(first.to_vec());
        });
        assert_eq!(body.collect().await.unwrap().to_bytes(), sent);
        assert_eq!(seen, [b"first"]);
    }
}
