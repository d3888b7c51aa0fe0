//! A NATS client that carries trace context: publish, request, reply, subscribe.
//!
//! [`Client`] stands where [`async_nats::Client`] stood. What it sends has the current trace
//! context in the message's headers; what it receives is a [`Received`], which starts the span of
//! the work only when that work begins.
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`publish`](Client::publish) | PRODUCER `publish {subject}` | first poll | handed to the connection |
//! | [`request`](Client::request) | CLIENT `request {subject}` | first poll | the reply is in |
//! | [`request_stream`](Client::request_stream) | CLIENT `request {subject}` | first poll | the [stream of replies](Replies) ends |
//! | [`reply`](Client::reply) | none: the responder's span covers it | | |
//! | [`process`](Received::process), an event | CONSUMER `process {pattern}` | `process` | the work is done |
//! | [`process`](Received::process), a request | SERVER `process {pattern}` | `process` | the work is done |
//! | [`respond`](service::Request::respond), of a [`service`] | none: as with `reply` | | |
//! | what [`jetstream`] has | see there | | |
//! | [`broker_spans`](Client::broker_spans) | INTERNAL `relay {subject}` | a server read the message | the last thing that it did with it |
//!
//! # On the wire
//!
//! One NATS header for each propagation field, named in lowercase: `traceparent` (55 bytes),
//! `tracestate`, `baggage`. They are read in any case. A message that nobody traces has none, and
//! is sent byte for byte as without this crate. Where the headers would make a message larger
//! than the server's `max_payload`, they are left out: baggage first, then the others; the
//! message is sent. A server that does not support headers is sent none.
//!
//! # Example
//!
//! ```no_run
//! use dynamo_trace_nats::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let nats = Client::new(async_nats::connect("localhost").await?);
//! nats.publish("events", "started".into()).await?;
//!
//! let mut work = nats.subscribe("work").await?;
//! while let Some(received) = work.next().await {
//!     received
//!         .process(|message| async move {
//!             // Here the context is current: what this sends continues the trace.
//!             println!("{} bytes", message.payload.len());
//!         })
//!         .await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Without this client
//!
//! The fields are written and read by [`HeadersMut`] and [`Headers`], on any
//! [`async_nats::HeaderMap`]. Spans are one's own then.
//!
//! ```no_run
//! use async_nats::{HeaderMap, Message};
//! use dynamo_trace_nats::{Headers, HeadersMut, Propagation};
//! use opentelemetry::Context;
//! use opentelemetry::trace::FutureExt;
//!
//! async fn send(nats: &async_nats::Client) -> Result<(), async_nats::Error> {
//!     let mut headers = HeaderMap::new();
//!     Propagation::global().inject(&Context::current(), &mut HeadersMut(&mut headers));
//!     nats.publish_with_headers("events", headers, "started".into())
//!         .await?;
//!     Ok(())
//! }
//!
//! async fn work(message: Message) {
//!     let headers = message.headers.clone().unwrap_or_default();
//!     let cx = Propagation::global().extract(&Context::current(), &Headers(&headers));
//!     async { println!("{} bytes", message.payload.len()) }
//!         .with_context(cx)
//!         .await;
//! }
//! ```
//!
//! A message that came by other means becomes a [`Received`] by [`Client::receive`].

mod attributes;
mod broker;
mod carrier;
mod client;
pub mod jetstream;
mod replies;
mod send;
pub mod service;
mod settings;
mod subject;
mod subscriber;
mod subscription;

pub use broker::{BrokerCounts, BrokerSpans};
pub use carrier::{Headers, HeadersMut};
pub use client::Client;
pub use dynamo_trace_core::received::RelationRule;
pub use dynamo_trace_core::{Propagation, Received, Relation, Trust};
pub use replies::Replies;
pub use subscriber::Subscriber;
