//! Leases.

use super::Client;
use etcd_client::{
    Error, LeaseGrantOptions, LeaseGrantResponse, LeaseKeepAliveStream, LeaseKeeper,
    LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveOptions, LeaseTimeToLiveResponse,
};

impl Client {
    /// Creates a lease of `ttl` seconds: `LeaseGrant`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn lease_grant(
        &self,
        ttl: i64,
        options: Option<LeaseGrantOptions>,
    ) -> Result<LeaseGrantResponse, Error> {
        self.inner.lease_client().grant(ttl, options).await
    }

    /// Revokes a lease; its keys and their companions are deleted: `LeaseRevoke`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn lease_revoke(&self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        self.inner.lease_client().revoke(id).await
    }

    /// Opens a stream that keeps a lease alive: `LeaseKeepAlive`, a span of the opening alone.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseKeepAliveError`] if there is no such lease; else as [`put`](Self::put).
    pub async fn lease_keep_alive(
        &self,
        id: i64,
    ) -> Result<(LeaseKeeper, LeaseKeepAliveStream), Error> {
        self.inner.lease_client().keep_alive(id).await
    }

    /// Tells how long a lease lives on: `LeaseTimeToLive`. With its keys it lists their companions
    /// too.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn lease_time_to_live(
        &self,
        id: i64,
        options: Option<LeaseTimeToLiveOptions>,
    ) -> Result<LeaseTimeToLiveResponse, Error> {
        self.inner.lease_client().time_to_live(id, options).await
    }

    /// Lists all leases: `LeaseLeases`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn leases(&self) -> Result<LeaseLeasesResponse, Error> {
        self.inner.lease_client().leases().await
    }
}
