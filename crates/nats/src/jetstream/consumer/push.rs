use super::{Consumer, Messages};
use async_nats::jetstream::consumer::{StreamError, push};

impl Consumer<push::Config> {
    /// The messages that the server pushes.
    ///
    /// # Errors
    ///
    /// As the method of the same name of async-nats; so do the items of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes subscribes to nothing.
    pub async fn messages(&self) -> Result<Messages<push::Messages>, StreamError> {
        let inner = self.inner.messages().await?;
        Ok(Messages::new(inner, self.origin.clone()))
    }
}

impl Consumer<push::OrderedConfig> {
    /// The messages that the server pushes, in order.
    ///
    /// # Errors
    ///
    /// As the method of the same name of async-nats; so do the items of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes subscribes to nothing.
    pub async fn messages(self) -> Result<Messages<push::Ordered>, StreamError> {
        let inner = self.inner.messages().await?;
        Ok(Messages::new(inner, self.origin))
    }
}
