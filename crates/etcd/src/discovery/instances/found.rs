use crate::Client;
use crate::aside::Aside;
use crate::companion::Prefix;
use crate::discovery::quiet;
use crate::places::{Place, prefix_end};
use dynamo_trace_core::ContextBlock;
use etcd_client::{Error, GetOptions, KeyValue, ResponseHeader};
use std::sync::Arc;
use tonic::Code;

/// How many keys are asked for at a time, until the answer is too long for the client.
const PAGE: i64 = 512;

/// What is under a prefix at one revision.
pub(super) struct Found {
    pub(super) revision: i64,
    /// Each with the context that goes with it.
    pub(super) pairs: Vec<(KeyValue, Option<Vec<u8>>)>,
}

impl Found {
    /// Reads what is under `prefix`, companions aside.
    pub(super) async fn read(etcd: &Client, prefix: &[u8]) -> Result<Self, Error> {
        let places = etcd.shared().companions.places();
        let companions = places.companions();
        let may_have = |place| places.may_have(place, &start(prefix), &end(prefix));
        let is_companion = |key: &[u8]| companions.is_some_and(|c| c.strip(key).is_some());
        let mut pairs = Vec::new();
        let aside = Arc::new(Aside::of_envelopes());
        let revision = pages(etcd, prefix, None, |kv| {
            if !is_companion(kv.key()) {
                let sealed = aside.take(kv.key(), kv.mod_revision().cast_unsigned());
                pairs.push((kv, sealed.map(Into::into)));
            }
        });
        let revision = match may_have(Place::Envelope) {
            true => aside.during(revision).await?,
            false => revision.await?,
        };
        let mut found = Self { revision, pairs };
        let are_beside = !found.pairs.is_empty() && may_have(Place::Companion);
        if let Some(companions) = companions.filter(|_| are_beside) {
            // Not the application's doing: no span. And no reason to fail.
            let reading = found.read_companions(etcd, companions, prefix);
            if let Err(error) = quiet(etcd, reading).await {
                tracing::debug!(target: "dynamo_trace", %error, "companions are not readable");
            }
        }
        Ok(found)
    }

    async fn read_companions(
        &mut self,
        etcd: &Client,
        companions: &Prefix,
        prefix: &[u8],
    ) -> Result<(), Error> {
        let under = companions.of(prefix);
        let pairs = &mut self.pairs;
        pages(etcd, &under, Some(self.revision), |companion| {
            let key = companions.strip(companion.key()).unwrap_or_default();
            // etcd sends keys in their order.
            let Ok(at) = pairs.binary_search_by_key(&key, |(kv, _)| kv.key()) else {
                return;
            };
            let Some((kv, beside)) = pairs.get_mut(at) else {
                return;
            };
            let is_its = companion.mod_revision() == kv.mod_revision();
            if is_its && companion.value().len() <= ContextBlock::MAX_LEN {
                *beside = Some(companion.into_key_value().1);
            }
        })
        .await?;
        Ok(())
    }
}

/// The first key that there can be under `prefix`.
fn start(prefix: &[u8]) -> Vec<u8> {
    match prefix {
        [] => vec![0],
        prefix => prefix.to_vec(),
    }
}

/// The end of the range of all that is under `prefix`.
fn end(prefix: &[u8]) -> Vec<u8> {
    prefix_end(prefix).unwrap_or_else(|| vec![0])
}

/// Reads all that is under `prefix`, in pages of one revision: this one, or else the one that the
/// store has now. Tells which one it was.
async fn pages(
    etcd: &Client,
    prefix: &[u8],
    at: Option<i64>,
    mut each: impl FnMut(KeyValue),
) -> Result<i64, Error> {
    let (mut from, end) = (start(prefix), end(prefix));
    let (mut limit, mut at) = (PAGE, at.unwrap_or(0));
    loop {
        let options = GetOptions::new()
            .with_range(end.clone())
            .with_limit(limit)
            .with_revision(at);
        let mut page = match etcd.get(&*from, Some(options)).await {
            // What tonic says of a message above its limit, 4 MiB if not configured otherwise.
            Err(Error::GRpcStatus(status)) if status.code() == Code::OutOfRange && limit > 1 => {
                limit /= 2;
                continue;
            }
            page => page?,
        };
        if at == 0 {
            at = page.header().map_or(0, ResponseHeader::revision);
        }
        let (pairs, more) = (page.take_kvs(), page.more());
        let next = pairs.last().map(|last| [last.key(), &[0]].concat());
        pairs.into_iter().for_each(&mut each);
        match next {
            Some(next) if more => from = next,
            _ => return Ok(at),
        }
    }
}
