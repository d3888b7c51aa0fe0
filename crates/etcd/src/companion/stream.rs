//! Streams of pairs, `Watch` and `RangeStream`: values are taken out of envelopes on their way.

use super::Companions;
use crate::aside::Aside;
use crate::envelope::{Announced, Fields, Messages, Opener};
use http::{Request, Response};
use std::sync::Arc;
use tonic::body::Body;

/// What is done with the messages of a stream.
pub(super) struct Opening {
    stream: Stream,
    companions: Arc<Companions>,
    aside: Option<Arc<Aside>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Watch,
    Range,
}

/// The request, and what is to be done with its response; nothing for what is none of ours.
pub(super) fn open(
    companions: &Arc<Companions>,
    request: Request<Body>,
) -> (Request<Body>, Option<Opening>) {
    let stream = match request.uri().path() {
        "/etcdserverpb.Watch/Watch" => Stream::Watch,
        "/etcdserverpb.KV/RangeStream" => Stream::Range,
        _ => return (request, None),
    };
    let aside = Aside::current();
    let is_watched = stream == Stream::Watch && aside.is_some();
    if !is_watched && !companions.places().have_envelopes() {
        return (request, None);
    }
    let mut request = match aside.clone().filter(|_| is_watched) {
        Some(aside) => request.map(|body| {
            Body::new(Announced::new(body, move |create: &[u8]| {
                announce(create, &aside);
            }))
        }),
        None => request,
    };
    // The response has to be read.
    request.headers_mut().remove("grpc-accept-encoding");
    let opening = Opening {
        stream,
        companions: Arc::clone(companions),
        aside,
    };
    (request, Some(opening))
}

/// Notes where a watch is to start: `WatchRequest.create_request.start_revision`.
fn announce(request: &[u8], aside: &Aside) {
    let create = Fields::of(Fields::of(request).bytes(1));
    let start_revision = create.number(3).cast_signed();
    aside.set_watched(|watched| watched.start_revision = start_revision);
}

impl Opening {
    pub(super) fn response(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(Messages::new(body, move |message| {
                if self.stream == Stream::Watch
                    && let Some(aside) = &self.aside
                {
                    // `WatchResponse.fragment`
                    let is_fragment = Fields::of(message).number(7) != 0;
                    aside.set_watched(|watched| watched.is_fragment = is_fragment);
                }
                self.message(message)
            }))
        })
    }

    fn message(&self, message: &[u8]) -> Option<bytes::Bytes> {
        if !self.companions.places().have_envelopes() {
            return None;
        }
        let opener = Opener {
            places: self.companions.places(),
            aside: self.aside.as_deref(),
        };
        match self.stream {
            Stream::Watch => opener.watch(message),
            Stream::Range => opener.range_stream(message),
        }
    }
}
