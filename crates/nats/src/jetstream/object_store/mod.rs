//! Object stores: large values, in chunks.
//!
//! [`ObjectStore`] stands where [`async_nats::jetstream::object_store::ObjectStore`] stood, with
//! the same results and errors. Its calls are CLIENT spans, each a child of the span that is
//! current when the future is first polled:
//!
//! | call | span | ends |
//! |---|---|---|
//! | `put` | `put $O.{bucket}.>` | the object is stored |
//! | `get` | `get $O.{bucket}.>` | the object is read to its end, or dropped |
//! | `info`, `delete`, `update_metadata`, `add_link`, `seal` | `info $O.{bucket}.>` | the answer is in |
//! | `list`, `watch` | `list $O.{bucket}.>` | it is set up: what it gives comes later |
//!
//! Names and contents of objects stand on no span; their sizes do.
//!
//! No context crosses the wire: async-nats takes none for the messages of an object.
//!
//! ```no_run
//! use dynamo_trace_nats::{Client, jetstream};
//! use tokio::io::AsyncReadExt;
//!
//! # async fn example() -> Result<(), async_nats::Error> {
//! let nats = Client::new(async_nats::connect("localhost").await?);
//! let weights = jetstream::new(&nats).get_object_store("weights").await?;
//! weights.put("adapter", &mut &b"..."[..]).await?;
//!
//! let mut object = weights.get("adapter").await?;
//! let mut bytes = Vec::new();
//! object.read_to_end(&mut bytes).await?;
//! # Ok(())
//! # }
//! ```

mod attributes;
mod bucket;
mod context;
mod error_type;
mod object;
mod store;

pub use object::Object;
pub use store::ObjectStore;
