//! Companions: the context of a put, beside the value.
//!
//! - `call` of a `Put`, `DeleteRange` or `Txn`: the message is read; every put gets the put of
//!   its companion, every deletion that of the companions and a note of who deletes ([`rewrite`]).
//!   The result is sent as one `Txn`. Values under an envelope prefix are sealed before that.
//! - `call` of a `Range` for which contexts are wanted: the companions of the range are read in
//!   the same `Txn` ([`read`]).
//! - response: the companions' parts are taken out ([`restore`]), and values out of envelopes.
//! - refused: the call is made once more, with less ([`plan`]). After [`REFUSALS`] in a row
//!   companions are left out, but for one try per [`PAUSE`]; notes likewise.

mod accompany;
mod attempt;
mod exchange;
mod keys;
mod note;
mod plan;
mod read;
mod restore;
mod rewrite;
mod service;
mod stream;
mod unary;
mod wire;
mod write;

pub(crate) use keys::Prefix;
pub(crate) use read::MAX_CONTEXTS;
pub(crate) use rewrite::MAX_TXN_OPS;
pub(crate) use service::WithCompanions;
pub(crate) use unary::{MAX_LEN, PREFIX_LEN, frame, too_long};

use crate::aside::Aside;
use crate::attributes::DB_OPERATION_BATCH_SIZE;
use crate::breaker::Breaker;
use crate::counts::Counts;
use crate::places::Places;
use dynamo_trace_core::Instrumentation;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use std::time::Duration;
use wire::TxnRequest;
use write::Rpc;

/// After how many refusals in a row the right to write companions is taken to be missing.
const REFUSALS: u32 = 3;
/// How long then to do without, until the next try.
const PAUSE: Duration = Duration::from_secs(60);

/// What one client does about contexts in the store.
#[derive(Debug)]
pub(crate) struct Companions {
    instrumentation: Instrumentation,
    places: Places,
    counts: Counts,
    refusals: Breaker,
    note_refusals: Breaker,
    read_refusals: Breaker,
}

impl Companions {
    pub(crate) fn new(instrumentation: Instrumentation, places: Places) -> Self {
        Self {
            instrumentation,
            places,
            counts: Counts::default(),
            refusals: Breaker::new(REFUSALS, PAUSE),
            note_refusals: Breaker::new(REFUSALS, PAUSE),
            read_refusals: Breaker::new(REFUSALS, PAUSE),
        }
    }

    pub(crate) const fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the message of this RPC is worth reading.
    fn concern(&self, rpc: Rpc) -> bool {
        self.places.have_envelopes()
            || match rpc {
                Rpc::Range => Aside::current().is_some(),
                Rpc::Txn => {
                    self.has_prefix()
                        || Context::current().span().is_recording()
                        || Aside::current().is_some()
                }
                Rpc::Put | Rpc::DeleteRange => self.has_prefix(),
            }
    }

    const fn has_prefix(&self) -> bool {
        self.places.companions().is_some()
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
