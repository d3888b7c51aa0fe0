//! Companions: the context of a put, beside the value.
//!
//! - `call` of a `Put`, `DeleteRange` or `Txn`: the message is read; every put gets the put of
//!   its companion, every deletion that of the companions ([`rewrite`]). The result is sent as
//!   one `Txn`.
//! - response: the companions' parts are taken out ([`restore`]).
//! - refused: the call is made once more as it came, without companions. After [`REFUSALS`] in a
//!   row companions are left out, but for one try per [`PAUSE`].

mod keys;
mod restore;
mod rewrite;
mod service;
mod unary;
mod wire;
mod write;

pub(crate) use keys::Prefix;
pub(crate) use service::WithCompanions;

use crate::attributes::DB_OPERATION_BATCH_SIZE;
use crate::breaker::Breaker;
use crate::carrier;
use bytes::Bytes;
use dynamo_trace_core::Instrumentation;
use http::request;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use rewrite::Rewriter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tonic::Code;
use wire::TxnRequest;
use write::{Rpc, Write};

/// After how many refusals in a row the right to write companions is taken to be missing.
const REFUSALS: u32 = 3;
/// How long then to do without, until the next try.
const PAUSE: Duration = Duration::from_secs(60);

/// The metadata that etcd takes a user's token from.
const TOKENS: [&str; 2] = ["token", "authorization"];

/// What one client does about companions.
#[derive(Debug)]
pub(crate) struct Companions {
    instrumentation: Instrumentation,
    prefix: Option<Prefix>,
    left_out: AtomicU64,
    refusals: Breaker,
}

impl Companions {
    /// None are written or read without a prefix.
    pub(crate) fn new(instrumentation: Instrumentation, prefix: Option<Prefix>) -> Self {
        Self {
            instrumentation,
            prefix,
            left_out: AtomicU64::new(0),
            refusals: Breaker::new(REFUSALS, PAUSE),
        }
    }

    pub(crate) const fn prefix(&self) -> Option<&Prefix> {
        self.prefix.as_ref()
    }

    /// How many writes went without companions that they should have had.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Whether the message of this RPC is worth reading.
    fn concern(&self, rpc: Rpc) -> bool {
        self.prefix.is_some() || rpc == Rpc::Txn && Context::current().span().is_recording()
    }

    /// The call with companions; `None` where it is to be made as it is.
    fn accompany(&self, rpc: Rpc, head: &request::Parts, request: Bytes) -> Option<Write> {
        let txn = rpc.to_txn(request)?;
        let cx = Context::current();
        describe(&txn, &cx);
        let companion = carrier::write(self.instrumentation.propagation(), &cx, SystemTime::now());
        let rewriter = Rewriter {
            prefix: self.prefix.as_ref()?,
            companion: companion.as_ref(),
            rpc,
            authenticated: TOKENS.iter().any(|name| head.headers.contains_key(*name)),
        };
        let rewritten = rewriter.txn(txn)?;
        if !rewritten.branches.have_companions() {
            return None;
        }
        if rewritten.is_too_long() {
            self.leave_out("too many operations");
            return None;
        }
        if !self.refusals.admits(Instant::now()) {
            self.leave_out("refused by the server before");
            return None;
        }
        Some(Write {
            rpc,
            txn: rewritten.txn,
            branches: rewritten.branches,
        })
    }

    /// The server took companions.
    fn admitted(&self) {
        self.refusals.succeeded();
    }

    /// The server took a write only without companions.
    fn refused(&self, code: Code) {
        self.leave_out("refused by the server");
        // `INVALID_ARGUMENT` is about this one value.
        if code == Code::PermissionDenied {
            self.refusals.failed(Instant::now());
        }
    }

    /// Counts, and tells of the first, second, fourth, eighth .. time.
    fn leave_out(&self, why: &str) {
        let times = self.left_out.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::debug!(target: "dynamo_trace", times, "etcd companion left out: {why}");
        }
    }
}

/// The size of a batch: the most operations that the transaction can run.
fn describe(txn: &TxnRequest, cx: &Context) {
    let operations = txn.success.len().max(txn.failure.len());
    if operations >= 2
        && cx.span().is_recording()
        && let Ok(size) = i64::try_from(operations)
    {
        cx.span()
            .set_attribute(KeyValue::new(DB_OPERATION_BATCH_SIZE, size));
    }
}
