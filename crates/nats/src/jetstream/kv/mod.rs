//! Key-value buckets: entries that carry the context of what wrote them.
//!
//! [`Store`] stands where [`async_nats::jetstream::kv::Store`] stood, with the same results and
//! errors. What it writes has the current trace context in the headers of its message; watches
//! and reads give an [`Entry`](async_nats::jetstream::kv::Entry) as [`Received`], with the context
//! of its writer.
//!
//! | call | span | ends |
//! |---|---|---|
//! | `put`, `create`, `update`, `delete`, `purge` | PRODUCER `put $KV.{bucket}.>` | the server has stored it |
//! | `get`, `entry` | CLIENT `get $KV.{bucket}.>`, linked to the writer | the answer is in |
//! | `keys`, `history`, `watch` | CLIENT `watch $KV.{bucket}.>` | it is set up: entries come later |
//! | [`process`](crate::Received::process) | CONSUMER `process $KV.{bucket}.>` | the work is done |
//!
//! Each starts when its future is first polled. Keys and values stand on no span. Spans are named
//! after the bucket, or after the first template
//! ([`with_subject_templates`](crate::Client::with_subject_templates)) that the key's subject,
//! `$KV.{bucket}.{key}`, matches.
//!
//! Beside the semantic conventions' attributes there are the stream (`messaging.nats.stream`), the
//! revision (`messaging.nats.message.sequence`), and of an entry that is processed
//! `dynamo_trace.nats.change.type`, which is `put`, `delete` or `purge`, and
//! `dynamo_trace.queue_time`, in seconds since it was written.
//!
//! # Continued or linked
//!
//! A watch gives current entries first, if it was asked to, then changes. A change continues the
//! trace of its writer. An entry that was written before the watch was set up is a state that
//! anybody may see any number of times, and so is one that `entry` reads: the span that processes
//! it is linked to its writer's. So is a change that comes late
//! ([`RelationRule`](crate::RelationRule)).
//!
//! # On the wire
//!
//! The propagation fields are headers of the stored message, as [everywhere](crate#on-the-wire),
//! and take their bytes of the bucket's `max_bytes`. They are left out where they would make a
//! message larger than the bucket's `max_value_size`, to which the server counts them, or its
//! headers larger than the 65,535 bytes that JetStream stores; the value is written. What the
//! server itself writes where an entry expired has no context.
//!
//! ```no_run
//! use dynamo_trace_nats::{Client, jetstream};
//!
//! # async fn example() -> Result<(), async_nats::Error> {
//! let nats = Client::new(async_nats::connect("localhost").await?);
//! let models = jetstream::new(&nats).get_key_value("models").await?;
//! models.put("llama", "loading".into()).await?;
//!
//! let mut changes = models.watch_all().await?;
//! while let Some(change) = changes.next().await {
//!     change?
//!         .process(|entry| async move { println!("revision {}", entry.revision) })
//!         .await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Received`]: crate::Received

mod attributes;
mod bucket;
mod context;
mod entry;
mod failure;
mod lookup;
mod prefixed;
mod publish;
mod read;
mod remove;
mod set_up;
mod store;
mod watch;
mod watcher;
mod write;

pub use store::Store;
pub use watcher::Watch;
