use super::Store;
use crate::jetstream::Context;
use async_nats::jetstream::context::{CreateKeyValueError, KeyValueError, UpdateKeyValueError};
use async_nats::jetstream::kv::Config;

/// # Key-value buckets
///
/// No span starts here; see [`kv`](crate::jetstream::kv) for those of a bucket.
impl Context {
    /// The bucket of this name.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::get_key_value`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing on the server.
    pub async fn get_key_value<T: Into<String>>(&self, bucket: T) -> Result<Store, KeyValueError> {
        let store = (**self).get_key_value(bucket).await?;
        Ok(Store::new(self, store))
    }

    /// Creates a bucket, or gives the one that has this configuration.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_key_value`].
    ///
    /// # Cancel safety
    ///
    /// The bucket may have been created if the future is dropped.
    pub async fn create_key_value(&self, config: Config) -> Result<Store, CreateKeyValueError> {
        let store = (**self).create_key_value(config).await?;
        Ok(Store::new(self, store))
    }

    /// Changes the configuration of a bucket.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::update_key_value`].
    ///
    /// # Cancel safety
    ///
    /// The bucket may have been changed if the future is dropped.
    pub async fn update_key_value(&self, config: Config) -> Result<Store, UpdateKeyValueError> {
        let store = (**self).update_key_value(config).await?;
        Ok(Store::new(self, store))
    }

    /// Creates a bucket, or changes its configuration.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::Context::create_or_update_key_value`].
    ///
    /// # Cancel safety
    ///
    /// The bucket may have been created or changed if the future is dropped.
    pub async fn create_or_update_key_value(
        &self,
        config: Config,
    ) -> Result<Store, CreateKeyValueError> {
        let store = (**self).create_or_update_key_value(config).await?;
        Ok(Store::new(self, store))
    }
}
