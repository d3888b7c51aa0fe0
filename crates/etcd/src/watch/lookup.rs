use super::cause::Cause;
use crate::breaker::Breaker;
use crate::companion::Prefix;
use crate::counts::Loss;
use crate::point::{self, Point};
use dynamo_trace_core::ContextBlock;
use etcd_client::{Error, GetResponse, KeyValue, KvClient};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::Code;

/// The cause of a change, once it is read.
pub(super) type Reading = Pin<Box<dyn Future<Output = Cause> + Send>>;

/// The longest response that is read, in bytes: two companions and some keys. A longer one is
/// given up when its length is known, before it is there.
const MAX_RESPONSE_LEN: usize = 2 * ContextBlock::MAX_LEN + 32 * 1024;

/// How long nothing is read that was denied so many times in a row.
const PAUSE: Duration = Duration::from_secs(60);
const DENIALS: u32 = 3;

/// Reads companions and notes. The changes have their revisions already.
#[derive(Clone)]
pub(super) struct Lookup {
    kv: KvClient,
    prefix: Prefix,
    denied: Arc<Breaker>,
    denied_notes: Arc<Breaker>,
}

impl Lookup {
    pub(super) fn new(kv: KvClient, prefix: Prefix) -> Self {
        Self {
            kv,
            prefix,
            denied: Arc::new(Breaker::new(DENIALS, PAUSE)),
            denied_notes: Arc::new(Breaker::new(DENIALS, PAUSE)),
        }
    }

    /// Reads the companion that was put with `key` at `revision`.
    pub(super) fn put(&self, key: &[u8], revision: i64) -> Reading {
        if !self.denied.admits(Instant::now()) {
            return denied();
        }
        let companion = [Point::new(self.prefix.of(key), revision)];
        let Self { mut kv, denied, .. } = self.clone();
        Box::pin(async move {
            match point::read(&mut kv, &companion, MAX_RESPONSE_LEN).await {
                Ok(found) => {
                    denied.succeeded();
                    match companion_of(revision, found.first()) {
                        Some(companion) => Cause::writer(companion.value().to_vec()),
                        None => Cause::lost(Loss::Missing),
                    }
                }
                Err(error) => failed(&error, &denied),
            }
        })
    }

    /// Reads the note of the deletion of `key` at `revision`, and who had written `key` last.
    pub(super) fn deletion(&self, key: &[u8], revision: i64) -> Reading {
        let now = Instant::now();
        if !self.denied.admits(now) {
            return denied();
        }
        if !self.denied_notes.admits(now) {
            return self.last_writer(key, revision, Loss::Denied);
        }
        let [companion, deleted] = self.before(key, revision);
        let note = Point::new(self.prefix.note(), revision);
        let points = [note, companion, deleted];
        let Self {
            mut kv,
            denied,
            denied_notes,
            ..
        } = self.clone();
        Box::pin(async move {
            let found = match point::read(&mut kv, &points, MAX_RESPONSE_LEN).await {
                // The revision before the deletion is no longer there; that of the deletion is.
                Err(error) if point::loss(&error) == Loss::Compacted => {
                    let [note, ..] = points;
                    point::read(&mut kv, &[note], MAX_RESPONSE_LEN).await
                }
                found => found,
            };
            match found.as_deref() {
                Ok([note, before @ ..]) => {
                    denied.succeeded();
                    denied_notes.succeeded();
                    match companion_of(revision, Some(note)) {
                        Some(companion) => Cause::writer(companion.value().to_vec()),
                        None => last_writer(before, Loss::Missing),
                    }
                }
                Ok([]) => Cause::lost(Loss::Failed),
                Err(error) => failed(error, &denied_notes),
            }
        })
    }

    /// Reads who had written `key` last, where it is known that there is no note: `loss` says why.
    pub(super) fn last_writer(&self, key: &[u8], revision: i64, loss: Loss) -> Reading {
        if !self.denied.admits(Instant::now()) {
            return denied();
        }
        let points = self.before(key, revision);
        let Self { mut kv, denied, .. } = self.clone();
        Box::pin(async move {
            match point::read(&mut kv, &points, MAX_RESPONSE_LEN).await {
                Ok(found) => {
                    denied.succeeded();
                    last_writer(&found, loss)
                }
                Err(error) => failed(&error, &denied),
            }
        })
    }

    /// The companion and the key, as they were before the deletion.
    fn before(&self, key: &[u8], revision: i64) -> [Point; 2] {
        let before = revision.saturating_sub(1);
        let deleted = Point::new(key.to_vec(), before).keys_only();
        [Point::new(self.prefix.of(key), before), deleted]
    }
}

/// A companion of this revision: one of another is not believed.
fn companion_of(revision: i64, found: Option<&GetResponse>) -> Option<&KeyValue> {
    let companion = found?.kvs().first();
    companion.filter(|companion| companion.mod_revision() == revision)
}

fn last_writer(before: &[GetResponse], loss: Loss) -> Cause {
    let [companion, deleted] = before else {
        return Cause::lost(loss);
    };
    let revision = deleted.kvs().first().map_or(0, KeyValue::mod_revision);
    match companion_of(revision, Some(companion)) {
        Some(companion) => Cause {
            block: Some(companion.value().to_vec()),
            is_last_writer: true,
            // That of the key, which etcd 3.7 does not say of a key without its value.
            was_leased: companion.lease() != 0,
            loss: Some(loss),
        },
        None => Cause::lost(loss),
    }
}

fn failed(error: &Error, denied: &Breaker) -> Cause {
    if let Error::GRpcStatus(status) = error {
        denied.denied(status.code());
        if status.code() != Code::PermissionDenied {
            denied.succeeded();
        }
    }
    Cause::lost(point::loss(error))
}

fn denied() -> Reading {
    Box::pin(std::future::ready(Cause::lost(Loss::Denied)))
}
