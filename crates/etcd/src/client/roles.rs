//! Roles, and what they may do.

use super::Client;
use etcd_client::{
    Error, Permission, RoleAddResponse, RoleDeleteResponse, RoleGetResponse,
    RoleGrantPermissionResponse, RoleListResponse, RoleRevokePermissionOptions,
    RoleRevokePermissionResponse,
};

impl Client {
    /// Adds a role: `RoleAdd`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_add(&self, name: impl Into<String>) -> Result<RoleAddResponse, Error> {
        self.inner.auth_client().role_add(name).await
    }

    /// Deletes a role: `RoleDelete`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_delete(&self, name: impl Into<String>) -> Result<RoleDeleteResponse, Error> {
        self.inner.auth_client().role_delete(name).await
    }

    /// Tells what a role may do: `RoleGet`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_get(&self, name: impl Into<String>) -> Result<RoleGetResponse, Error> {
        self.inner.auth_client().role_get(name).await
    }

    /// Lists the roles: `RoleList`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_list(&self) -> Result<RoleListResponse, Error> {
        self.inner.auth_client().role_list().await
    }

    /// Lets a role do more: `RoleGrantPermission`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_grant_permission(
        &self,
        name: impl Into<String>,
        permission: Permission,
    ) -> Result<RoleGrantPermissionResponse, Error> {
        self.inner
            .auth_client()
            .role_grant_permission(name, permission)
            .await
    }

    /// Lets a role do less: `RoleRevokePermission`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn role_revoke_permission(
        &self,
        name: impl Into<String>,
        key: impl Into<Vec<u8>>,
        options: Option<RoleRevokePermissionOptions>,
    ) -> Result<RoleRevokePermissionResponse, Error> {
        self.inner
            .auth_client()
            .role_revoke_permission(name, key, options)
            .await
    }
}
