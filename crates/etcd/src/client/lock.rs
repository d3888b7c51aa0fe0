//! Locks.

use super::Client;
use etcd_client::{Error, LockOptions, LockResponse, UnlockResponse};

impl Client {
    /// Waits until the lock of this name is free, and takes it: `Lock`, a span of the whole wait.
    /// The lock is a key of etcd's own, without a companion.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the place in the queue up; whether the lock was taken is not known.
    pub async fn lock(
        &self,
        name: impl Into<Vec<u8>>,
        options: Option<LockOptions>,
    ) -> Result<LockResponse, Error> {
        self.inner.lock_client().lock(name, options).await
    }

    /// Gives a lock back, by the key that [`lock`](Self::lock) returned: `Unlock`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn unlock(&self, key: impl Into<Vec<u8>>) -> Result<UnlockResponse, Error> {
        self.inner.lock_client().unlock(key).await
    }
}
