//! Trace context over framed byte streams: TCP, Unix sockets, pipes.
//!
//! [`Codec`] is a `tokio_util` codec for a small frame with room for a context block. A frame
//! without a context, which is every token of a stream but the first, costs seven bytes and no
//! span.
//!
//! - To send one message: [`Sender::send`], a PRODUCER span `send {destination}`.
//! - To stream a response: [`Sender::open`], one span for all of it; only its first frame
//!   carries the context.
//! - To receive: the stream yields [`Received<Bytes>`](dynamo_trace_core::Received). No span
//!   exists until [`process`](dynamo_trace_core::Received::process), a CONSUMER span
//!   `process {destination}`.
//!
//! ```
//! use dynamo_trace_frame::{Codec, CodecError};
//! use futures_util::{SinkExt, StreamExt};
//! use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio_util::codec::Framed;
//!
//! /// A worker calls home and streams its tokens.
//! async fn respond(home: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), CodecError> {
//!     let codec = Codec::new().destination("tokens");
//!     let mut sink = Framed::new(home, codec.clone());
//!     let mut out = codec.sender(&mut sink).open("handshake").await?;
//!     for token in ["Hello", ",", " world"] {
//!         out.send(token.into()).await?;
//!     }
//!     out.finish().await?;
//!     sink.close().await
//! }
//!
//! /// The frontend reads them, in the worker's trace.
//! async fn collect(worker: impl AsyncRead + AsyncWrite + Unpin) -> Result<String, CodecError> {
//!     let codec = Codec::new().destination("tokens");
//!     let mut frames = Framed::new(worker, codec);
//!     let mut text = String::new();
//!     if let Some(first) = frames.next().await {
//!         let read_all = first?.try_process(async |_handshake| {
//!             while let Some(token) = frames.next().await {
//!                 text.push_str(&String::from_utf8_lossy(&token?));
//!             }
//!             Ok::<_, CodecError>(())
//!         });
//!         read_all.await?;
//!     }
//!     Ok(text)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), CodecError> {
//! let (home, worker) = tokio::io::duplex(64);
//! let (sent, text) = tokio::join!(respond(home), collect(worker));
//! sent?;
//! assert_eq!(text?, "Hello, world");
//! # Ok(())
//! # }
//! ```
//!
//! # On the wire
//!
//! All numbers are big endian.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version, `1` |
//! | 1 | 2 | `c`, length of the context block: 0 to 16,384 ([`ContextBlock::MAX_LEN`]) |
//! | 3 | 4 | `p`, length of the payload: 0 to the limit of the codec, 8 MiB if not said otherwise |
//! | 7 | `c` | the context block: [`ContextBlock`]; without a context it is empty |
//! | 7 + `c` | `p` | the payload, untouched |
//!
//! The fields in the block are those of HTTP: `traceparent` and `tracestate`
//! ([Trace Context Level 2, 3](https://www.w3.org/TR/trace-context-2/#trace-context-http-headers-format)),
//! `baggage` ([W3C Baggage, 3](https://www.w3.org/TR/baggage/#baggage-http-header-format)). Names
//! compare in any case. A `traceparent` alone makes a frame 59 bytes longer.
//!
//! A reader that does not know the version of the frame closes the connection; both ends have to
//! speak this protocol. A context block that it does not know, or that is broken, costs only the
//! context: the payload arrives without a sender to relate to.
//!
//! # Protocols that have a header map
//!
//! need no codec of ours. A map of strings is a carrier: write the context into the map before
//! it is encoded as ever, and read it from the decoded map.
//!
//! ```
//! use dynamo_trace_core::{Field, Carrier, Propagation};
//! use opentelemetry::Context;
//! use std::collections::HashMap;
//!
//! # let incoming: HashMap<String, String> = HashMap::from([(
//! #     "traceparent".into(),
//! #     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
//! # )]);
//! # let mut outgoing: HashMap<String, String> = HashMap::new();
//! let propagation = Propagation::global();
//! // incoming: HashMap<String, String> (or a BTreeMap), as it came, for instance from JSON
//! let context = propagation.extract(&Context::current(), &incoming);
//! // outgoing: the same, about to be sent
//! propagation.inject(&context, &mut outgoing);
//! assert_eq!(outgoing, incoming);
//! ```
//!
//! [`ContextBlock`]: dynamo_trace_core::ContextBlock
//! [`ContextBlock::MAX_LEN`]: dynamo_trace_core::ContextBlock::MAX_LEN

pub mod attributes;
mod codec;
mod consumer;
mod error;
mod frame;
mod outgoing;
mod sender;
mod settings;

pub use codec::Codec;
pub use error::CodecError;
pub use frame::Frame;
pub use outgoing::Outgoing;
pub use sender::Sender;
