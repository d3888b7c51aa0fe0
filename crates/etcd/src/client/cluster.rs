//! The members of the cluster.

use super::Client;
use etcd_client::{
    Error, MemberAddOptions, MemberAddResponse, MemberListResponse, MemberPromoteResponse,
    MemberRemoveResponse, MemberUpdateResponse,
};

impl Client {
    /// Adds a member to the cluster: `MemberAdd`. A URL without a scheme is one of `http`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn member_add<E: AsRef<str>, S: AsRef<[E]>>(
        &self,
        urls: S,
        options: Option<MemberAddOptions>,
    ) -> Result<MemberAddResponse, Error> {
        // The URLs are completed there.
        self.inner.clone().member_add(urls, options).await
    }

    /// Removes a member: `MemberRemove`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn member_remove(&self, id: u64) -> Result<MemberRemoveResponse, Error> {
        self.inner.cluster_client().member_remove(id).await
    }

    /// Changes the URLs of a member: `MemberUpdate`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn member_update(
        &self,
        id: u64,
        urls: impl Into<Vec<String>>,
    ) -> Result<MemberUpdateResponse, Error> {
        self.inner.cluster_client().member_update(id, urls).await
    }

    /// Makes a learner a voting member: `MemberPromote`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn member_promote(&self, id: u64) -> Result<MemberPromoteResponse, Error> {
        self.inner.cluster_client().member_promote(id).await
    }

    /// Lists the members: `MemberList`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn member_list(&self) -> Result<MemberListResponse, Error> {
        self.inner.cluster_client().member_list().await
    }
}
