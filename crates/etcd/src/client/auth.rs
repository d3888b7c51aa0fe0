//! Authentication.

use super::Client;
use etcd_client::{AuthDisableResponse, AuthEnableResponse, Error};

impl Client {
    /// Asks for a user and a password from now on: `AuthEnable`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn auth_enable(&self) -> Result<AuthEnableResponse, Error> {
        self.inner.auth_client().auth_enable().await
    }

    /// Lets everybody in: `AuthDisable`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn auth_disable(&self) -> Result<AuthDisableResponse, Error> {
        self.inner.auth_client().auth_disable().await
    }

    /// Gets a new token for the user that the client was connected with: `Authenticate`. Nothing
    /// happens where there was none.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn refresh_token(&self) -> Result<(), Error> {
        self.inner.refresh_token().await
    }

    /// Goes on as another user, or as nobody, in every clone: `Authenticate`. Where that fails the
    /// client stays who it was.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn update_user(&self, user: Option<(String, String)>) -> Result<(), Error> {
        // Clones share the user.
        self.inner.clone().update_user(user).await
    }
}
