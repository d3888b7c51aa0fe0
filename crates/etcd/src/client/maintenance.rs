//! The upkeep of members.

use super::Client;
use etcd_client::{
    AlarmAction, AlarmOptions, AlarmResponse, AlarmType, DefragmentResponse, Error, HashKvResponse,
    HashResponse, MoveLeaderResponse, SnapshotStreaming, StatusResponse,
};

impl Client {
    /// Tells of alarms, raises and clears them: `Alarm`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn alarm(
        &self,
        action: AlarmAction,
        alarm: AlarmType,
        options: Option<AlarmOptions>,
    ) -> Result<AlarmResponse, Error> {
        self.inner
            .maintenance_client()
            .alarm(action, alarm, options)
            .await
    }

    /// Tells how the member is: `Status`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.inner.maintenance_client().status().await
    }

    /// Gives free space of the member's store back: `Defragment`. The member answers nothing else
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn defragment(&self) -> Result<DefragmentResponse, Error> {
        self.inner.maintenance_client().defragment().await
    }

    /// Hashes the whole store of the member, companions included: `Hash`. For tests.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn hash(&self) -> Result<HashResponse, Error> {
        self.inner.maintenance_client().hash().await
    }

    /// Hashes the keys of the member up to a revision, companions included: `HashKV`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn hash_kv(&self, revision: i64) -> Result<HashKvResponse, Error> {
        self.inner.maintenance_client().hash_kv(revision).await
    }

    /// Copies the store of the member: `Snapshot`, a span up to the end of the copy, or cancelled
    /// when that is dropped before.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn snapshot(&self) -> Result<SnapshotStreaming, Error> {
        self.inner.maintenance_client().snapshot().await
    }

    /// Makes another member the leader: `MoveLeader`. Only the leader takes it.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn move_leader(&self, target: u64) -> Result<MoveLeaderResponse, Error> {
        self.inner.maintenance_client().move_leader(target).await
    }
}
