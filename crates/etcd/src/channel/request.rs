//! The key of a request, for those who want spans named after it.

use super::Templates;
use crate::semantics::operation;
use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use prost::Message;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tonic::Status;
use tonic::body::Body;

/// Finds the template of the request's key, and leaves it in the request's extensions.
///
/// The first message is looked at, where it is there already: it always is, unless the caller
/// streams messages of its own.
pub(super) fn name(templates: &Templates, request: Request<Body>) -> Request<Body> {
    let Some(read) = Read::of(operation(request.uri())) else {
        return request;
    };
    let (mut head, body) = request.into_parts();
    let body = Begun::new(body);
    if let Some(template) = body.message().and_then(|message| read(templates, message)) {
        head.extensions.insert(template);
    }
    Request::from_parts(head, Body::new(body))
}

/// Finds the template of a message's key.
type ReadTemplate = fn(&Templates, Bytes) -> Option<super::Template>;

struct Read;

impl Read {
    /// How to read the messages of this method; `None` where they have no key.
    fn of(operation: &str) -> Option<ReadTemplate> {
        match operation {
            "Put" | "Range" | "RangeStream" | "DeleteRange" | "Lock" | "Unlock" | "Campaign"
            | "Leader" | "Observe" => {
                Some(|templates, message| templates.of(&Keyed::decode(message).ok()?.key))
            }
            "Watch" | "Proclaim" | "Resign" => {
                Some(|templates, message| templates.of(&Wrapped::decode(message).ok()?.keyed?.key))
            }
            "Txn" => Some(|templates, message| {
                let Txn { success, failure } = Txn::decode(message).ok()?;
                let ops: Option<Vec<_>> = success.into_iter().chain(failure).map(Op::key).collect();
                templates.of_all(ops?.iter().map(Bytes::as_ref))
            }),
            _ => None,
        }
    }
}

/// Every message with a key, or a name, as its first field.
#[derive(Clone, PartialEq, Message)]
struct Keyed {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
}

/// One that has such a message as its first field.
#[derive(Clone, PartialEq, Message)]
struct Wrapped {
    #[prost(message, optional, tag = "1")]
    keyed: Option<Keyed>,
}

#[derive(Clone, PartialEq, Message)]
struct Txn {
    #[prost(message, repeated, tag = "2")]
    success: Vec<Op>,
    #[prost(message, repeated, tag = "3")]
    failure: Vec<Op>,
}

/// An operation of a transaction; one without any of these has no key of its own.
#[derive(Clone, PartialEq, Message)]
struct Op {
    #[prost(message, optional, tag = "1")]
    range: Option<Keyed>,
    #[prost(message, optional, tag = "2")]
    put: Option<Keyed>,
    #[prost(message, optional, tag = "3")]
    delete: Option<Keyed>,
}

impl Op {
    fn key(self) -> Option<Bytes> {
        let keyed = self.range.or(self.put).or(self.delete)?;
        Some(keyed.key)
    }
}

/// A body whose beginning was looked at.
struct Begun {
    first: Option<Result<Frame<Bytes>, Status>>,
    rest: Body,
}

impl Begun {
    /// Takes what is there now. Whoever waits for the rest asks again.
    fn new(mut rest: Body) -> Self {
        let mut cx = Context::from_waker(Waker::noop());
        // A task that has done much is not told to wait: nobody would ask again for the name.
        let frame = tokio::task::unconstrained(std::future::poll_fn(|cx| {
            Pin::new(&mut rest).poll_frame(cx)
        }));
        let first = match pin!(frame).poll(&mut cx) {
            Poll::Ready(first) => first,
            Poll::Pending => None,
        };
        Self { first, rest }
    }

    /// The first message, if it is there as a whole, and not compressed.
    fn message(&self) -> Option<Bytes> {
        let data = self.first.as_ref()?.as_ref().ok()?.data_ref()?;
        let ([0, length @ ..], message) = data.split_first_chunk::<5>()? else {
            return None;
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        Some(data.slice_ref(message.get(..length)?))
    }
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Of no use to gRPC, whose bodies are streams.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests;
