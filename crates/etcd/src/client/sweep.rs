use crate::aside::Aside;
use crate::places::{Places, prefix_end};
use crate::point::{self, Point};
use etcd_client::{
    Compare, CompareOp, Error, GetOptions, KeyValue, KvClient, Txn, TxnOp, TxnOpResponse,
};
use std::sync::Arc;
use std::time::Duration;

/// How many companions are looked at with one read. Each removal has a comparison and a deletion
/// in a transaction of its own in the one of the page: etcd takes 128 operations.
const PAGE: i64 = 64;
/// Keys can be up to 1.5 MiB long.
const MAX_RESPONSE_LEN: usize = 64 << 20;

/// Removes companions that accompany nothing: their key is gone, or was put again by a client
/// without this crate. Nobody believes those, but they take up space until the key is put or
/// deleted by a traced client.
///
/// It reads 64 companions at a time, without their values, then their keys, and pauses. A
/// companion is removed by a transaction that checks once more that it and its key are as they
/// were seen: no writer is raced. Several may sweep at once.
///
/// How often: where only clients of this crate write, there are orphans only after failures, and
/// once a day is plenty. Where others delete or overwrite traced keys, as often as those leave
/// more orphans than there is space for. Each page of 64 companions is two reads, and a
/// transaction if there is something to remove; with the pause of 50 milliseconds, a hundred
/// thousand companions take about a minute and a half. Removals are revisions, and reach watches
/// of other clients over the companion prefix as deletions.
///
/// No span but those of its RPCs: `Range`, `Txn`. It needs tokio's timer.
#[derive(Clone, Debug)]
#[must_use]
pub struct Sweep {
    within: Vec<u8>,
    pause: Duration,
}

/// What a [`Sweep`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Companions that were looked at.
    pub looked_at: u64,
    /// Companions that were removed.
    pub removed: u64,
}

impl Sweep {
    /// How long it pauses behind each page, if not said otherwise.
    pub const DEFAULT_PAUSE: Duration = Duration::from_millis(50);

    /// Of all keys.
    pub const fn new() -> Self {
        Self {
            within: Vec::new(),
            pause: Self::DEFAULT_PAUSE,
        }
    }

    /// Looks only at companions of the keys under this prefix, for those who may not read others.
    pub fn within(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.within = prefix.into();
        self
    }

    /// Pauses for so long behind each page.
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    pub(super) async fn run(self, mut kv: KvClient, places: &Places) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let Some(prefix) = places.companions() else {
            return Ok(swept);
        };
        let start = prefix.of(&self.within);
        let end = prefix_end(&start).unwrap_or_else(|| vec![0]);
        let mut next = start.to_vec();
        loop {
            let options = GetOptions::new()
                .with_range(end.clone())
                .with_limit(PAGE)
                .with_keys_only();
            let page = kv.get(next, Some(options)).await?;
            let companions = page.kvs().iter().filter_map(|companion| {
                // The note of deletions is beside no key.
                let key = prefix
                    .strip(companion.key())
                    .filter(|key| !key.is_empty())?;
                Some(Companion { companion, key })
            });
            let companions: Vec<_> = companions.collect();
            swept.looked_at += companions.len() as u64;
            swept.removed += remove(&mut kv, &companions).await?;
            let Some(last) = page.kvs().last().filter(|_| page.more()) else {
                return Ok(swept);
            };
            next = [last.key(), b"\0"].concat();
            tokio::time::sleep(self.pause).await;
        }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self::new()
    }
}

struct Companion<'p> {
    companion: &'p KeyValue,
    key: &'p [u8],
}

/// Removes those of the companions that accompany nothing.
async fn remove(kv: &mut KvClient, companions: &[Companion<'_>]) -> Result<u64, Error> {
    if companions.is_empty() {
        return Ok(0);
    }
    let keys = companions
        .iter()
        .map(|Companion { key, .. }| Point::latest(*key).keys_only());
    let keys: Vec<_> = keys.collect();
    let keys = point::read(kv, &keys, MAX_RESPONSE_LEN).await?;
    let orphans = companions
        .iter()
        .zip(&keys)
        .filter(|(Companion { companion, .. }, found)| {
            let key = found.kvs().first();
            key.is_none_or(|key| key.mod_revision() != companion.mod_revision())
        });
    let removals: Vec<_> = orphans.map(|(companion, _)| companion.removal()).collect();
    if removals.is_empty() {
        return Ok(0);
    }
    let txn = Txn::new().and_then(removals);
    let response = Arc::new(Aside::default()).during(kv.txn(txn)).await?;
    let removed = response
        .op_responses()
        .into_iter()
        .filter(|removal| matches!(removal, TxnOpResponse::Txn(removal) if removal.succeeded()));
    Ok(removed.count() as u64)
}

impl Companion<'_> {
    /// Its key may be put again, and it with it, at any time: then both have another revision.
    fn removal(&self) -> TxnOp {
        let companion = self.companion.key();
        let revision = self.companion.mod_revision();
        let is_as_seen = [
            Compare::mod_revision(companion, CompareOp::Equal, revision),
            Compare::mod_revision(self.key, CompareOp::NotEqual, revision),
        ];
        let delete = [TxnOp::delete(companion, None)];
        TxnOp::txn(Txn::new().when(is_as_seen).and_then(delete))
    }
}
