//! JetStream: messages that the server stores.
//!
//! [`Context`] stands where [`async_nats::jetstream::Context`] stood, and so do the streams and
//! consumers that it returns.
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`publish`](Context::publish) | PRODUCER `publish {subject}` | first poll | the acknowledgement is in |
//! | [`fetch`](Consumer::fetch), [`batch`](Consumer::batch), [`sequence`](Consumer::sequence) | CLIENT `fetch {filter or stream}` | first poll | the last message is in |
//! | [`messages`](Consumer::messages), [`stream`](Consumer::stream) | none: async-nats pulls ahead by itself | | |
//! | [`process`](crate::Received::process) | CONSUMER `process {filter or subject}` | `process` | the work is done |
//! | [`ack`](Message::ack) and others | an event on the current span, or as [`Settlement`] says | | |
//! | [`double_ack`](Message::double_ack) | CLIENT `ack {filter or subject}` | first poll | the server has confirmed |
//!
//! A span is named after the registered template that the subject matches (see
//! [`Client::with_subject_templates`]), else the filter of the consumer, else the subject.
//!
//! # How a message is related to its sender
//!
//! The server says when it stored a message, and how often it has delivered it. A message that is
//! delivered for the first time, and not older than the
//! [`RelationRule`](crate::RelationRule) of the client allows (60 seconds by default), continues
//! its sender's trace; one that is older or delivered again starts a trace of its own, with a
//! link to the sender's.
//!
//! # Attributes beyond the semantic conventions
//!
//! | attribute | unit | on |
//! |---|---|---|
//! | `messaging.nats.stream` | | all |
//! | `messaging.nats.message.sequence` | its place in the stream | publish, process, settlement |
//! | `messaging.nats.message.duplicate` | true: the server had it already | publish |
//! | `messaging.nats.message.delivery_attempt` | from 1 | process |
//! | `dynamo_trace.queue_time` | seconds, from when the server stored it to the start of the span; by two clocks | process |
//! | `dynamo_trace.redelivery_delay` | seconds | a `nak` with a delay |
//! | `dynamo_trace.ack_awaited` | false: nobody awaited the server's answer; true: a double acknowledgement | publish, settlement |
//!
//! # Example
//!
//! ```no_run
//! use async_nats::jetstream::consumer::pull;
//! use dynamo_trace_nats::{Client, jetstream};
//!
//! # async fn example() -> Result<(), async_nats::Error> {
//! let nats = Client::new(async_nats::connect("localhost").await?);
//! let jetstream = jetstream::new(&nats);
//! let stream = jetstream.get_or_create_stream("orders").await?;
//! jetstream.publish("orders", "order".into()).await?.await?;
//!
//! let worker = pull::Config {
//!     durable_name: Some("worker".to_owned()),
//!     ..Default::default()
//! };
//! let worker = stream.get_or_create_consumer("worker", worker).await?;
//! let mut orders = worker.messages().await?;
//! while let Some(received) = orders.next().await {
//!     received?
//!         .try_process(|order| async move {
//!             println!("{} bytes", order.payload.len());
//!             order.ack().await
//!         })
//!         .await?;
//! }
//! # Ok(())
//! # }
//! ```

mod ack;
mod acker;
mod attributes;
mod consumer;
mod context;
mod error_type;
pub mod kv;
mod limits;
mod message;
pub mod object_store;
mod publish;
mod recording;
mod settle;
mod stream;
mod traits;

pub use ack::{Acknowledgement, PublishAckFuture};
pub use acker::Acker;
pub use consumer::{
    Batch, BatchBuilder, Consumer, FetchBuilder, Messages, OrderedPullConsumer,
    OrderedPushConsumer, PullConsumer, PushConsumer, Sequence, StreamBuilder,
};
pub use context::Context;
pub use message::Message;
pub use settle::Settlement;
pub use stream::Stream;

use crate::Client;

/// A context as [`async_nats::jetstream::new`] makes it, inside of a Tokio runtime.
pub fn new(client: &Client) -> Context {
    Context::new(client, async_nats::jetstream::new((**client).clone()))
}

/// A context for another domain, as [`async_nats::jetstream::with_domain`] makes it.
pub fn with_domain(client: &Client, domain: impl AsRef<str>) -> Context {
    let inner = async_nats::jetstream::with_domain((**client).clone(), domain);
    Context::new(client, inner)
}

/// A context with another prefix of the API's subjects, as
/// [`async_nats::jetstream::with_prefix`] makes it.
pub fn with_prefix(client: &Client, prefix: impl AsRef<str>) -> Context {
    let inner = async_nats::jetstream::with_prefix((**client).clone(), prefix.as_ref());
    Context::new(client, inner)
}
