//! An etcd client that carries trace context: every RPC is a span, and every change comes with
//! its cause.
//!
//! [`Client`] stands where [`etcd_client::Client`] stood. What it puts has the current trace
//! context beside the value; what [`Client::watch`] receives is a [`Received`], which starts the
//! span of the work only when that work begins.
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | any RPC | CLIENT `{method}`: `Put`, `Range`, `DeleteRange`, `Txn`, `LeaseGrant`, .. | sent | the status is in |
//! | `Watch`, `LeaseKeepAlive`, `Observe` | CLIENT `{method}` | sent | the response head is in |
//! | [`process`](Received::process), a change | CONSUMER `process change` | `process` | the work is done |
//!
//! Spans have no keys and no values. A call to etcd is one span, also where a put becomes a
//! transaction; with etcd-client's
//! [`with_auto_token_refresh`](etcd_client::ConnectOptions::with_auto_token_refresh) each try is
//! one. Spans wait as the call does: `Lock` and `Campaign` last until their turn, `Snapshot` and
//! `RangeStream` to the end of the stream.
//!
//! ```no_run
//! use dynamo_trace_etcd::Client;
//! use dynamo_trace_etcd::etcd_client::WatchOptions;
//!
//! # async fn example() -> Result<(), dynamo_trace_etcd::Error> {
//! let etcd = Client::connect(["localhost:2379"], None).await?;
//! etcd.put("instances/1", "ready", None).await?;
//!
//! let options = WatchOptions::new().with_prefix();
//! let mut changes = etcd.watch("instances/", Some(options)).await?;
//! while let Some(change) = changes.next().await {
//!     change?
//!         .process(|event| async move {
//!             // Here the context is current: what this sends continues the trace.
//!             println!("revision {:?}", event.kv().map(|kv| kv.mod_revision()));
//!         })
//!         .await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`discovery`] registers instances under leases, and keeps a live map of those that are there,
//! through whatever happens to the server.
//!
//! # Attributes
//!
//! The [database conventions](attributes): `db.system.name` (`etcd`), `db.operation.name`,
//! `db.operation.batch.size` of a transaction of two or more operations; `server.address`, and
//! `server.port` other than 2379, while the client has a single endpoint; `db.collection.name`
//! with [key templates](ClientBuilder::with_key_templates). On failure `db.response.status_code`,
//! the code that etcd answered or that tonic makes of the transport's error, and `error.type`: the
//! code again, or why the transport failed (`connection_refused`). A call that outlasts
//! [`with_timeout`](etcd_client::ConnectOptions::with_timeout) is `CANCELLED` to the caller and
//! `DEADLINE_EXCEEDED` on its span. A call that is given up was cancelled, which is no failure and
//! has no code.
//!
//! Streams have a span for their opening alone. Of keep-alives that fail later
//! [`Client::keep_alive_failures`] tells.
//!
//! # On the wire
//!
//! Every RPC has the metadata `traceparent`, `tracestate` and `baggage` (W3C Trace Context
//! Level 2, W3C Baggage), so that an etcd that traces its own work joins the trace.
//!
//! An etcd does so from 3.5 on, if it is started with
//!
//! ```text
//! --enable-distributed-tracing --distributed-tracing-address=collector:4317
//! ```
//!
//! In 3.5 these are `--experimental-enable-distributed-tracing` and
//! `--experimental-distributed-tracing-address`. It exports OTLP over gRPC without TLS, as the
//! service `etcd`, what its callers sample; its own sampling rate is for callers without a trace.
//! Its span of the RPC (SERVER `etcdserverpb.KV/Txn`) is a child of ours, from 3.7 on with a span
//! of the work below it (INTERNAL `txn`). **Those of 3.7 have keys as attributes.**
//!
//! # In the store
//!
//! Values stay as they are, byte for byte. Beside the key `K` that is put rests a *companion*,
//! the key `__dynamo_trace/K`:
//!
//! - It is written in the same transaction, so it has the same revision, and with the same
//!   lease, so it vanishes with the key. Deleting the key, or a range of keys, deletes it.
//! - Its value is a [`ContextBlock`](dynamo_trace_core::ContextBlock), version 1, with the entries
//!   `traceparent`, `tracestate` if there is one, and `t`: the time, in milliseconds since the
//!   Unix epoch, as decimal digits. About 80 bytes without a tracestate, at most 16,384. No
//!   baggage, and no field of other propagation formats.
//! - A reader believes it only if its revision is that of the value: whoever overwrites a value
//!   without a companion need not know of the old one.
//! - A put without a span to carry writes none. One that keeps the lease of its key
//!   ([`with_ignore_lease`](etcd_client::PutOptions::with_ignore_lease)) writes one only where
//!   there is one already.
//!
//! Where etcd refuses the transaction with `PERMISSION_DENIED` or `INVALID_ARGUMENT`, the call
//! is made once more as it is: a client may do without the right to write companions, and a value
//! may be as large as etcd allows. A transaction that companions would bring above 128
//! operations, etcd's default, goes without. A client whose companions were refused with
//! `PERMISSION_DENIED` three times in a row writes none any more, but tries once a minute, for all
//! keys. [`Client::companions_left_out`] counts all of these. A user that may read and write `K*`
//! needs `readwrite` on `__dynamo_trace/K*` for companions.
//!
//! The response to a write is read whole before it is handed on, up to 64 MiB: a longer one is
//! `OUT_OF_RANGE`, also where etcd-client was told to take it.
//!
//! What to know:
//!
//! - With a user, a put with a lease has no companion, nor has a put by itself that asks for the
//!   previous value: etcd 3.4 checks less in a transaction than in a put, and lets nobody attach a
//!   key to a lease, or revoke it, without the right to write all of its keys. A user by client
//!   certificate alone is not seen: **do not share leases of traced keys with users who may not
//!   write companions**, and turn companions off where such users must not put with `prev_kv` or a
//!   lease what they may only write.
//! - A companion outlives its key if a client without this crate deletes the key, if the key is
//!   put again with a lease but without a companion, or if it is put with
//!   [`with_ignore_lease`](etcd_client::PutOptions::with_ignore_lease) after such a client gave it
//!   another lease. Nobody believes it; the next traced put or deletion of the key clears it up.
//! - No key of the user's may be under the companion prefix: watches leave it out, it gets no
//!   companion, and it can be overwritten or deleted with what it seems to accompany.
//! - A traced store has two keys where it had one.
//! - A range that covers the companion prefix covers companions: `get` returns them, and `delete`
//!   counts those whose keys are outside of the range. So does the list of a lease's keys. Watches
//!   of this crate leave them out.
//! - Keys that etcd writes by itself (locks, elections) have none.
//! - Who deleted a key is not known to its watchers.

//!
//! # Features
//!
//! - `tls`, `tls-ring`, `tls-roots`, `tls-native-roots`, `tls-webpki-roots`: those of etcd-client,
//!   whose others work as well where an application turns them on, but for `tls-openssl`.

pub mod attributes;
mod breaker;
mod carrier;
mod channel;
mod client;
mod companion;
pub mod discovery;
mod semantics;
mod watch;

pub use channel::KeepAliveFailures;
pub use client::{Client, ClientBuilder};
pub use dynamo_trace_core::received::RelationRule;
pub use dynamo_trace_core::{Propagation, Received, Relation, Trust};
pub use etcd_client::{self, Error};
pub use watch::Watcher;

/// The instrumentation scope.
const SCOPE: (&str, &str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
