//! The messaging semantic conventions (development) for frames, and what this library adds for
//! streams.
//!
//! Frames are messages between two ends of one's own, and the conventions for messages give
//! their spans names and attributes that every backend knows. They demand a `messaging.system`
//! and allow a value of one's own where none of theirs fits: [`SYSTEM`] names this protocol, not
//! TCP, of which a codec knows nothing. What is known of the connection is recorded once
//! [`Codec::peer`](crate::Codec::peer) says it.

use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{KeyValue, StringValue, Value};
use std::net::SocketAddr;
use std::sync::Arc;

/// `messaging.system`: always [`SYSTEM`].
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// The value of [`MESSAGING_SYSTEM`].
pub const SYSTEM: &str = "dynamo_trace_frame";
/// `messaging.operation.name`: `send` or `process`.
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
/// `messaging.operation.type`: `send` or `process`.
pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
/// `messaging.destination.name`: what [`Codec::destination`](crate::Codec::destination) was given.
pub const MESSAGING_DESTINATION_NAME: &str = "messaging.destination.name";
/// `messaging.message.body.size`: the payload of the frame, in bytes.
pub const MESSAGING_MESSAGE_BODY_SIZE: &str = "messaging.message.body.size";
/// `network.transport`: `tcp`, where the peer is known.
pub const NETWORK_TRANSPORT: &str = "network.transport";
/// `network.peer.address`: the IP address of the other end.
pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
/// `network.peer.port`: the TCP port of the other end.
pub const NETWORK_PEER_PORT: &str = "network.peer.port";

/// How many frames a response had, the first included.
pub const STREAM_CHUNKS: &str = "dynamo_trace.stream.chunks";
/// How many bytes the payloads of a response had together.
pub const STREAM_BYTES: &str = "dynamo_trace.stream.bytes";
/// The longest time between two frames of a response, in seconds.
pub const STREAM_LONGEST_GAP: &str = "dynamo_trace.stream.longest_gap";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Send,
    Process,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Process => "process",
        }
    }
}

/// What all spans of one connection say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    destination: Option<Arc<str>>,
    peer: Option<(StringValue, u16)>,
}

impl Connection {
    pub(crate) fn set_destination(&mut self, destination: Arc<str>) {
        self.destination = Some(destination);
    }

    pub(crate) fn set_peer(&mut self, peer: SocketAddr) {
        let address: Arc<str> = peer.ip().to_canonical().to_string().into();
        self.peer = Some((address.into(), peer.port()));
    }

    pub(crate) fn span(&self, operation: Operation, kind: SpanKind) -> SpanBuilder {
        let builder = match &self.destination {
            Some(destination) => {
                SpanBuilder::from_name(format!("{} {destination}", operation.as_str()))
            }
            None => SpanBuilder::from_name(operation.as_str()),
        };
        builder.with_kind(kind).with_attributes(self.all(operation))
    }

    fn all(&self, operation: Operation) -> Vec<KeyValue> {
        let mut all = Vec::with_capacity(8);
        all.extend([
            KeyValue::new(MESSAGING_SYSTEM, SYSTEM),
            KeyValue::new(MESSAGING_OPERATION_NAME, operation.as_str()),
            KeyValue::new(MESSAGING_OPERATION_TYPE, operation.as_str()),
        ]);
        if let Some(destination) = &self.destination {
            all.push(KeyValue::new(
                MESSAGING_DESTINATION_NAME,
                destination.clone(),
            ));
        }
        if let Some((address, port)) = &self.peer {
            all.extend([
                KeyValue::new(NETWORK_TRANSPORT, "tcp"),
                KeyValue::new(NETWORK_PEER_ADDRESS, address.clone()),
                KeyValue::new(NETWORK_PEER_PORT, i64::from(*port)),
            ]);
        }
        all
    }
}

pub(crate) fn body_size(bytes: usize) -> KeyValue {
    KeyValue::new(MESSAGING_MESSAGE_BODY_SIZE, count(bytes as u64))
}

pub(crate) fn stream(chunks: u64, bytes: u64, longest_gap: f64) -> [KeyValue; 3] {
    [
        KeyValue::new(STREAM_CHUNKS, count(chunks)),
        KeyValue::new(STREAM_BYTES, count(bytes)),
        KeyValue::new(STREAM_LONGEST_GAP, longest_gap),
    ]
}

fn count(number: u64) -> Value {
    Value::I64(i64::try_from(number).unwrap_or(i64::MAX))
}
