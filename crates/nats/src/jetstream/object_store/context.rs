use super::ObjectStore;
use crate::jetstream::Context;
use async_nats::jetstream::context::{CreateObjectStoreError, ObjectStoreError};
use async_nats::jetstream::object_store::Config;

/// # Object stores
///
/// No span starts here; see [`object_store`](crate::jetstream::object_store) for those of a
/// store.
impl Context {
    /// The object store of this name.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_object_store`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing on the server.
    pub async fn get_object_store<T: AsRef<str>>(
        &self,
        bucket: T,
    ) -> Result<ObjectStore, ObjectStoreError> {
        let bucket = bucket.as_ref();
        let store = (**self).get_object_store(bucket).await?;
        Ok(ObjectStore::new(self, bucket, store))
    }

    /// Creates an object store, or gives the one that has this configuration.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_object_store`].
    ///
    /// # Cancel safety
    ///
    /// The store may have been created if the future is dropped.
    pub async fn create_object_store(
        &self,
        config: Config,
    ) -> Result<ObjectStore, CreateObjectStoreError> {
        let bucket = config.bucket.clone();
        let store = (**self).create_object_store(config).await?;
        Ok(ObjectStore::new(self, bucket, store))
    }
}
