//! Users, and the roles that they have.

use super::Client;
use etcd_client::{
    Error, UserAddOptions, UserAddResponse, UserChangePasswordResponse, UserDeleteResponse,
    UserGetResponse, UserGrantRoleResponse, UserListResponse, UserRevokeRoleResponse,
};

impl Client {
    /// Adds a user: `UserAdd`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_add(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
        options: Option<UserAddOptions>,
    ) -> Result<UserAddResponse, Error> {
        self.inner
            .auth_client()
            .user_add(name, password, options)
            .await
    }

    /// Tells which roles a user has: `UserGet`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_get(&self, name: impl Into<String>) -> Result<UserGetResponse, Error> {
        self.inner.auth_client().user_get(name).await
    }

    /// Lists the users: `UserList`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_list(&self) -> Result<UserListResponse, Error> {
        self.inner.auth_client().user_list().await
    }

    /// Deletes a user: `UserDelete`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_delete(&self, name: impl Into<String>) -> Result<UserDeleteResponse, Error> {
        self.inner.auth_client().user_delete(name).await
    }

    /// Changes the password of a user: `UserChangePassword`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_change_password(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<UserChangePasswordResponse, Error> {
        self.inner
            .auth_client()
            .user_change_password(name, password)
            .await
    }

    /// Gives a user a role: `UserGrantRole`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_grant_role(
        &self,
        user: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserGrantRoleResponse, Error> {
        self.inner.auth_client().user_grant_role(user, role).await
    }

    /// Takes a role from a user: `UserRevokeRole`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn user_revoke_role(
        &self,
        user: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserRevokeRoleResponse, Error> {
        self.inner.auth_client().user_revoke_role(user, role).await
    }
}
