use crate::companion::Prefix;
use etcd_client::{Error, GetOptions, GetResponse, KvClient};
use std::pin::Pin;
use tonic::Code;

/// The value of a companion, once it is read.
pub(super) type Reading = Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;

/// Reads companions.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) kv: KvClient,
    pub(super) prefix: Prefix,
}

impl Lookup {
    /// Reads the companion that was written with `key` at `revision`. Any failure, and any
    /// companion of another revision, is none.
    pub(super) fn read(&self, key: &[u8], revision: i64) -> Reading {
        let companion = self.prefix.of(key);
        let kv = self.kv.clone();
        Box::pin(async move {
            let response = read(kv, companion.into(), revision).await.ok()?;
            let companion = response.kvs().first()?;
            (companion.mod_revision() == revision).then(|| companion.value().to_vec())
        })
    }
}

/// From the member at hand, without asking its leader; the change has that revision already.
async fn read(mut kv: KvClient, key: Vec<u8>, revision: i64) -> Result<GetResponse, Error> {
    let options = GetOptions::new().with_revision(revision);
    let local = options.clone().with_serializable();
    match kv.get(key.clone(), Some(local)).await {
        // Another member than the one that sent the change, and it is behind.
        Err(Error::GRpcStatus(status))
            if status.code() == Code::OutOfRange
                && status.message().contains("future revision") =>
        {
            kv.get(key, Some(options)).await
        }
        read => read,
    }
}
