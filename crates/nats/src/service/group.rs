use super::EndpointBuilder;
use super::endpoint::Endpoint;
use super::scope::Scope;
use async_nats::Error;
use std::fmt;

/// An [`async_nats::service::Group`] of endpoints whose requests are traced.
///
/// ```no_run
/// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
/// let service = nats.service_builder().start("prices", "1.0.0").await?;
/// // Its spans are named `process v1.stocks.quotes`.
/// let mut quotes = service.group("v1").group("stocks").endpoint("quotes").await?;
/// # Ok(())
/// # }
/// ```
pub struct Group {
    inner: async_nats::service::Group,
    scope: Scope,
}

impl Group {
    pub(super) const fn new(inner: async_nats::service::Group, scope: Scope) -> Self {
        Self { inner, scope }
    }

    /// A group below this one.
    #[must_use]
    pub fn group<S: ToString>(&self, prefix: S) -> Self {
        self.group_with_queue_group(prefix, &self.scope.queue_group)
    }

    /// A group below this one, with a queue group of its own.
    #[must_use]
    pub fn group_with_queue_group<S: ToString, Z: ToString>(
        &self,
        prefix: S,
        queue_group: Z,
    ) -> Self {
        let (prefix, queue_group) = (prefix.to_string(), queue_group.to_string());
        let scope = self.scope.group(&prefix, queue_group.clone());
        Self::new(
            self.inner.group_with_queue_group(prefix, queue_group),
            scope,
        )
    }

    /// Adds an endpoint.
    ///
    /// # Errors
    ///
    /// As [`EndpointBuilder::add`].
    ///
    /// # Cancel safety
    ///
    /// As [`EndpointBuilder::add`].
    pub async fn endpoint<S: ToString>(&self, subject: S) -> Result<Endpoint, Error> {
        self.endpoint_builder().add(subject).await
    }

    /// The builder of an endpoint with a name, metadata or queue group of its own.
    pub fn endpoint_builder(&self) -> EndpointBuilder {
        EndpointBuilder::new(self.inner.endpoint_builder(), self.scope.clone())
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
