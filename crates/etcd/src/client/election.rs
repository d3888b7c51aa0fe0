//! Elections.

use super::Client;
use etcd_client::{
    CampaignResponse, Error, LeaderResponse, ObserveStream, ProclaimOptions, ProclaimResponse,
    ResignOptions, ResignResponse,
};

impl Client {
    /// Waits until this value is elected: `Campaign`, a span of the whole wait. What etcd writes for
    /// an election has no companion.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the candidacy up; whether it was elected is not known.
    pub async fn campaign(
        &self,
        name: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        lease: i64,
    ) -> Result<CampaignResponse, Error> {
        self.inner
            .election_client()
            .campaign(name, value, lease)
            .await
    }

    /// Announces another value as the leader: `Proclaim`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn proclaim(
        &self,
        value: impl Into<Vec<u8>>,
        options: Option<ProclaimOptions>,
    ) -> Result<ProclaimResponse, Error> {
        self.inner.election_client().proclaim(value, options).await
    }

    /// Tells who leads: `Leader`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn leader(&self, name: impl Into<Vec<u8>>) -> Result<LeaderResponse, Error> {
        self.inner.election_client().leader(name).await
    }

    /// Observes who leads from now on: `Observe`, a span of the opening alone.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn observe(&self, name: impl Into<Vec<u8>>) -> Result<ObserveStream, Error> {
        self.inner.election_client().observe(name).await
    }

    /// Gives leadership up: `Resign`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn resign(&self, options: Option<ResignOptions>) -> Result<ResignResponse, Error> {
        self.inner.election_client().resign(options).await
    }
}
