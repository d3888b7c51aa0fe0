use crate::aside::{Aside, Coverage};
use crate::companion::{Companions, MAX_CONTEXTS, MAX_TXN_OPS};
use crate::counts::Loss;
use crate::places::Place;
use crate::point::{self, Point};
use crate::watch::Cause;
use dynamo_trace_core::{ContextBlock, Received};
use etcd_client::{GetResponse, KeyValue, KvClient, ResponseHeader};

/// The longest response with contexts that is read behind a range, in bytes.
const MAX_RESPONSE_LEN: usize = MAX_TXN_OPS * (ContextBlock::MAX_LEN + 4 * 1024);

/// What [`Client::get_with_context`](crate::Client::get_with_context) found: the response to a
/// `get`, whose pairs come with the contexts of their last writers.
#[derive(Debug)]
pub struct Found {
    response: GetResponse,
    kvs: Vec<Received<KeyValue>>,
}

impl Found {
    pub(super) const fn new(response: GetResponse, kvs: Vec<Received<KeyValue>>) -> Self {
        Self { response, kvs }
    }

    /// The pairs, in the order of the response.
    #[must_use]
    pub fn kvs(&self) -> &[Received<KeyValue>] {
        &self.kvs
    }

    /// The pairs, to be processed.
    #[must_use]
    pub fn into_kvs(self) -> Vec<Received<KeyValue>> {
        self.kvs
    }

    /// The header of the response.
    #[must_use]
    pub fn header(&self) -> Option<&ResponseHeader> {
        self.response.header()
    }

    /// Whether there are more keys in the range than the limit lets through.
    #[must_use]
    pub const fn more(&self) -> bool {
        self.response.more()
    }

    /// The number of keys in the range.
    #[must_use]
    pub const fn count(&self) -> i64 {
        self.response.count()
    }
}

/// Finds the causes of pairs.
pub(super) struct Finder<'f> {
    pub(super) companions: &'f Companions,
    pub(super) aside: &'f Aside,
    /// At which the pairs were read.
    pub(super) revision: i64,
}

impl Finder<'_> {
    pub(super) async fn find(&self, kvs: &[KeyValue], kv: &mut KvClient) -> Vec<Cause> {
        let coverage = self.aside.coverage();
        let known = |(at, kv)| self.known(at, kv, &coverage);
        let mut causes: Vec<_> = kvs.iter().enumerate().map(known).collect();
        let mut unknown: Vec<_> = (causes.iter_mut().zip(kvs))
            .filter(|(cause, _)| cause.is_none())
            .collect();
        for unknown in unknown.chunks_mut(MAX_TXN_OPS) {
            self.read(unknown, kv).await;
        }
        causes.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// `None` for what is to be read.
    fn known(&self, at: usize, kv: &KeyValue, coverage: &Coverage) -> Option<Cause> {
        let place = self.companions.places().of(kv.key());
        if place == Place::Nowhere {
            return Some(Cause::default());
        }
        if let Some(block) = self.aside.take(kv.key(), kv.mod_revision().cast_unsigned()) {
            return Some(Cause::writer(block.into()));
        }
        let is_covered = match coverage {
            _ if place == Place::Envelope => true,
            Coverage::All => true,
            Coverage::UpTo(last) => kv.key() <= &**last,
            Coverage::Lost(loss) => return Some(Cause::lost(*loss)),
            Coverage::None => false,
        };
        if is_covered {
            return Some(Cause::lost(Loss::Missing));
        }
        // No more are asked for.
        (at >= MAX_CONTEXTS).then(Cause::default)
    }

    /// Reads the companions of these pairs, as they were with them.
    async fn read(&self, unknown: &mut [(&mut Option<Cause>, &KeyValue)], kv: &mut KvClient) {
        let Some(prefix) = self.companions.places().companions() else {
            return;
        };
        let points = unknown
            .iter()
            .map(|(_, kv)| Point::new(prefix.of(kv.key()), self.revision));
        let points: Vec<_> = points.collect();
        match point::read(kv, &points, MAX_RESPONSE_LEN).await {
            Ok(found) => {
                for ((cause, kv), found) in unknown.iter_mut().zip(found) {
                    let companion = found.kvs().first();
                    let companion = companion.filter(|c| c.mod_revision() == kv.mod_revision());
                    **cause = Some(companion.map_or_else(
                        || Cause::lost(Loss::Missing),
                        |companion| Cause::writer(companion.value().to_vec()),
                    ));
                }
            }
            Err(error) => {
                for (cause, _) in unknown {
                    **cause = Some(Cause::lost(point::loss(&error)));
                }
            }
        }
    }
}
