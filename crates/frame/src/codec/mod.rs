mod decode;
mod encode;
mod header;
mod rejected;
#[cfg(test)]
mod tests;

use crate::sender::Sender;
use crate::settings::Settings;
use dynamo_trace_core::received::RelationRule;
use dynamo_trace_core::{Propagation, Trust};
use opentelemetry::trace::{Tracer, TracerProvider};
use std::net::SocketAddr;
use std::sync::Arc;

/// Encodes [`Frame`](crate::Frame)s, and decodes
/// [`Received<Bytes>`](dynamo_trace_core::Received).
///
/// The [layout](crate#on-the-wire) has a payload of at most 8 MiB, unless
/// [`max_payload`](Self::max_payload) says otherwise, and a context of at most 16 KiB: of a
/// larger one, the fields that do not fit are left out. Encoding starts no span; see
/// [`sender`](Self::sender).
///
/// Decoding believes no announced length: limits are checked first, and the buffer grows with
/// the bytes that arrive. A broken context block, also one of a later version, means a message
/// without a sender to relate to, not an error, and so do values that are no valid trace context.
///
/// A payload is not copied. However short, it keeps alive the read buffer that it arrived in as
/// long as it is kept itself: at least the 8 KiB that `Framed` reads into, or the largest frame
/// that was read before it. Copy what is to be kept for long, with
/// [`Bytes::copy_from_slice`](bytes::Bytes::copy_from_slice).
///
/// Cheap to clone; all clones have the same settings.
///
/// ```
/// use dynamo_trace_core::Trust;
/// use dynamo_trace_frame::Codec;
/// use tokio::net::TcpStream;
/// use tokio_util::codec::Framed;
///
/// fn accept(connection: TcpStream) -> std::io::Result<Framed<TcpStream, Codec>> {
///     let codec = Codec::new()
///         .destination("requests")
///         .peer(connection.peer_addr()?)
///         .with_trust(Trust::linked())
///         .max_payload(64 * 1024);
///     Ok(Framed::new(connection, codec))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Codec {
    settings: Arc<Settings>,
    max_payload: usize,
}

impl Codec {
    /// The most bytes that a payload has, if not said otherwise: 8 MiB, as for
    /// [`LengthDelimitedCodec`](tokio_util::codec::LengthDelimitedCodec).
    pub const DEFAULT_MAX_PAYLOAD: usize = 8 * 1024 * 1024;

    /// A codec with the global tracer provider and propagation, which are taken on first use,
    /// and [`Trust::trusted`].
    pub fn new() -> Self {
        Self {
            settings: Arc::default(),
            max_payload: Self::DEFAULT_MAX_PAYLOAD,
        }
    }

    /// Sets what the frames are for: it stands in the names of spans and as
    /// `messaging.destination.name`, so it must not be different for every connection.
    /// Without it a span is just `send` or `process`.
    pub fn destination(self, destination: impl Into<Arc<str>>) -> Self {
        self.set(|settings| settings.connection.set_destination(destination.into()))
    }

    /// Sets the other end of a TCP connection, for `network.peer.address` and
    /// `network.peer.port`.
    pub fn peer(self, peer: SocketAddr) -> Self {
        self.set(|settings| settings.connection.set_peer(peer))
    }

    /// Sets the most bytes that a payload may have, sent or received; at most 4 GiB - 1.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes.min(u32::MAX as usize);
        self
    }

    /// Takes the tracer from `provider`.
    pub fn with_tracer_provider<P>(self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        self.set(|settings| {
            let own = settings.instrumentation.clone();
            settings.instrumentation = own.with_tracer_provider(provider);
        })
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        self.set(|settings| {
            let own = settings.instrumentation.clone();
            settings.instrumentation = own.with_propagation(propagation);
        })
    }

    /// Sets how far the sender of received frames is trusted.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| settings.trust = trust)
    }

    /// Sets how the span of a received frame relates to its sender's. A frame carries no send
    /// time, so none is stale.
    pub fn with_relation(self, relation: RelationRule) -> Self {
        self.set(|settings| settings.relation = relation)
    }

    /// Sends with a span, by this codec's settings, into `sink`: a
    /// [`Framed`](tokio_util::codec::Framed) or `FramedWrite` with this codec, half of a split
    /// one, or a `&mut` of those.
    pub fn sender<S>(&self, sink: S) -> Sender<S> {
        Sender::new(sink, Arc::clone(&self.settings))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}
