//! Discovery: instances that stand in etcd under a lease, and a live map of them.
//!
//! [`Registration`] puts an instance under a lease, keeps that alive, and registers the instance
//! anew when the lease is lost. [`Instances`] is the map of the instances under a prefix, with
//! every join, update and leave as a [`Received`](crate::Received) that knows who wrote it. Both
//! recover from a server that goes away.
//!
//! ```no_run
//! use dynamo_trace_etcd::Client;
//! use dynamo_trace_etcd::discovery::{Change, Instances, Registration};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let etcd = Client::connect(["localhost:2379"], None).await?;
//!
//! // A worker:
//! let registered = Registration::new(&etcd, "instances/worker-1", "10.0.0.7:9000")
//!     .with_destination("instances")
//!     .register()
//!     .await?;
//!
//! // Who calls workers:
//! let mut instances = Instances::watch(&etcd, "instances/")
//!     .with_destination("instances")
//!     .await?;
//! println!("{} there", instances.snapshot().len());
//! while let Some(change) = instances.next().await {
//!     change
//!         .process(|change| async move {
//!             // Here the context is current: what this sends continues the registration's trace.
//!             match change {
//!                 Change::Joined(instance) => println!("{} joined", instance.name()),
//!                 Change::Updated(instance) => println!("{} has changed", instance.name()),
//!                 Change::Left(instance) => println!("{} left", instance.name()),
//!             }
//!         })
//!         .await;
//! }
//!
//! registered.deregister().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Spans
//!
//! | what | span | starts | ends |
//! |---|---|---|---|
//! | [`register`](Registration::register) | INTERNAL `register instance` | called | the key is put |
//! | the same after a loss | INTERNAL `register instance`, a root that links to the first one | the lease is found gone | the key is put, after as many tries as it takes |
//! | [`process`](crate::Received::process), a change | CONSUMER `process instance` | `process` | the work is done |
//!
//! With a destination the names are `register {destination}` and `process {destination}`. Keys and
//! values are on no span. Below a registration are the spans of its calls, `LeaseGrant` and `Put`
//! (`Txn` if [`exclusive`](Registration::exclusive)); the span of a join has that put as its
//! parent, or as its link where the put is old, and has the time from one to the other as
//! [`INSTANCE_NOTICED_AFTER`](crate::attributes::INSTANCE_NOTICED_AFTER). That of a leave links to
//! the last put of the instance, unless its watch knows better. Keep-alives, the watch once it has
//! begun, and what the map reads for itself make no spans; what fails there is logged as a debug
//! event of the target `dynamo_trace`.
//!
//! # In the store
//!
//! The value of an instance is the user's, byte for byte; the context of its put rests in a
//! companion, as with every put of this crate.

mod instances;
mod registration;

pub use instances::{Change, Instance, Instances, Reader, Snapshot, WatchInstances};
pub use registration::{Error, Registered, Registration, State};

use crate::Client;
use dynamo_trace_core::span::InSpan;
use opentelemetry::Context;

/// Runs what nobody asked for by itself, and so has no spans.
fn quiet<F: Future>(etcd: &Client, future: F) -> InSpan<F> {
    within(etcd, Context::new().with_telemetry_suppressed(), future)
}

/// Runs a future with this context current.
fn within<F: Future>(etcd: &Client, context: Context, future: F) -> InSpan<F> {
    etcd.shared().instrumentation.pass(context).run(future)
}
