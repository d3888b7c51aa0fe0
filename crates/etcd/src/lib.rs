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
//! | [`process`](Received::process), a change or a pair | CONSUMER `process change` | `process` | the work is done |
//!
//! Spans have no keys and no values. A call to etcd is one span, also where a put becomes a
//! transaction, or is made once more without; with etcd-client's
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
//! The context of a put rests in one of three [`Place`]s, by the prefix of its key
//! ([`ClientBuilder::with_context_at`]): in a companion, which is the default, in an
//! [envelope](#envelopes), or nowhere. Writers and readers have to agree on it.
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
//! keys. A user that may read and write `K*` needs `readwrite` on `__dynamo_trace/K*` for
//! companions, and on the key `__dynamo_trace/` itself for [deletions](#deletions).
//! [`Client::lost_contexts`] counts what was left out, and what could not be read.
//!
//! The response to a write is read whole before it is handed on, up to 64 MiB: a longer one is
//! `OUT_OF_RANGE`, also where etcd-client was told to take it. So is a response that may have
//! envelopes to be taken off.
//!
//! # Deletions
//!
//! A deletion leaves a *note*: the key `__dynamo_trace/`, one for the whole store, is put in the
//! same transaction, with the same value as a companion. Whoever is told of a deletion at revision
//! `R` reads the note at revision `R`, and believes it only if its revision is `R`. So:
//!
//! | who deleted the key | what its watchers have |
//! |---|---|
//! | a traced call of `delete` or `txn` | the deleter, as with a put: parent, or link |
//! | another client, a lease that ran out or was revoked | a link to who had put the key last |
//!
//! In the second case nothing is known of the cause. The span of the change has the attribute
//! [`CHANGE_LINK`](attributes::CHANGE_LINK) to say whom the link leads to, and
//! [`CHANGE_LEASED`](attributes::CHANGE_LEASED) if the key had a lease: then that has ended, where
//! all who delete are traced. etcd does not tell the end of a lease from a deletion, and ends it
//! in no transaction that could leave a note; this holds for
//! [`lease_revoke`](Client::lease_revoke) too.
//!
//! A deletion costs no further RPC, no lease and, however many keys there are, no further key;
//! a deletion of nothing makes no revision. No note is left, and the last writer is linked, where
//! the range deleted covers the companion prefix, where only a nested transaction deletes, where
//! more than eight deletions stand in a transaction without a put, where only keys in envelopes or
//! nowhere are deleted, and where the server refuses it: with `PERMISSION_DENIED` (three times in
//! a row: once a minute then), or for lack of space. On etcd 3.5 and later the note takes
//! the right to read what is deleted.
//!
//! # Envelopes
//!
//! For those who cannot spare a second key: under a prefix with [`Place::Envelope`] the context
//! stands in front of the value, in the same key. On puts, also within transactions, it is put on;
//! from the pairs in all responses, previous ones too, and in the events of watches it is taken
//! off, by every client that [`Client`] hands out. The envelope, version 1, all numbers big endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `8f 64 74 72 61 63 65 1a` |
//! | 8 | 1 | version, `1` |
//! | 9 | 2 | `c`, length of the context block: 0 to 16,384 |
//! | 11 | `c` | the context block, as in a companion |
//! | 11 + `c` | the rest | the value, untouched |
//!
//! Anything else under the prefix is a plain value, and reads as itself: others may write there. A
//! put without a span to carry writes the value alone; only what would be taken for an envelope
//! is put into one that is empty. A block that is broken costs only the context. What to know:
//!
//! - Others read the envelope as a part of the value, and the server does: a comparison with a
//!   value ([`Compare::value`](etcd_client::Compare::value)) fails, is sent as it is, and is counted
//!   ([`envelopes_compared`](LostContexts::envelopes_compared)); compare revisions instead. Sorting
//!   by value sorts by the envelope.
//! - A value that etcd takes only without goes without. One that is kept
//!   ([`with_ignore_value`](etcd_client::PutOptions::with_ignore_value)) keeps its context.
//! - A deletion leaves no note. The last writer is linked if the watch asks for the previous pair.
//! - Values that etcd writes by itself (elections) have none.
//!
//! # Reading, resuming, sweeping
//!
//! - [`Client::get_with_context`] reads pairs with the contexts of their last writers.
//! - [`Client::watch_resuming`] goes on when a watch breaks; [`Client::watch`] ends, as
//!   etcd-client's does.
//! - [`Client::sweep_companions`] removes companions that accompany nothing.
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
//!   another lease. Nobody believes it; the next traced put or deletion of the key clears it up,
//!   or a [sweep](Sweep).
//! - No key of the user's may be under the companion prefix: watches leave it out, it gets no
//!   companion, and it can be overwritten or deleted with what it seems to accompany.
//! - A traced store has two keys where it had one, and the note.
//! - A range that covers the companion prefix covers companions: `get` returns them, and `delete`
//!   counts those whose keys are outside of the range. So does the list of a lease's keys. Watches
//!   of this crate leave them out.
//! - Who may read the note has the contexts of all deletions. They are ids, of traces and spans.
//! - Keys that etcd writes by itself (locks, elections) have none.
//!
//! # Features
//!
//! - `tls`, `tls-ring`, `tls-roots`, `tls-native-roots`, `tls-webpki-roots`: those of etcd-client,
//!   whose others work as well where an application turns them on, but for `tls-openssl`.

mod aside;
pub mod attributes;
mod backoff;
mod breaker;
mod carrier;
mod channel;
mod client;
mod companion;
mod counts;
pub mod discovery;
mod envelope;
mod places;
mod point;
mod semantics;
mod watch;

pub use channel::KeepAliveFailures;
pub use client::{Client, ClientBuilder, Found, Sweep, Swept};
pub use counts::LostContexts;
pub use dynamo_trace_core::received::RelationRule;
pub use dynamo_trace_core::{Propagation, Received, Relation, Trust};
pub use etcd_client::{self, Error};
pub use places::Place;
pub use watch::Watcher;

/// The instrumentation scope.
const SCOPE: (&str, &str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
