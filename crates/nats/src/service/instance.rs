use super::endpoint::{self, Endpoint};
use super::scope::Scope;
use super::{EndpointBuilder, Group, Info};
use async_nats::Error;
use std::collections::HashMap;

/// A running [`async_nats::service::Service`] whose requests are traced. Its endpoints end when it
/// is stopped, or when it and its groups are dropped.
///
/// ```no_run
/// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
/// let service = nats.service_builder().start("prices", "1.0.0").await?;
/// let mut quotes = service.endpoint("quotes").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a service ends its endpoints"]
pub struct Service {
    inner: async_nats::service::Service,
    scope: Scope,
}

impl Service {
    pub(super) const fn new(inner: async_nats::service::Service, scope: Scope) -> Self {
        Self { inner, scope }
    }

    /// Stops this instance. Its endpoints end after the requests that have arrived.
    ///
    /// # Errors
    ///
    /// As [`async_nats::service::Service::stop`].
    ///
    /// # Cancel safety
    ///
    /// It completes when it is first polled.
    pub async fn stop(self) -> Result<(), Error> {
        self.inner.stop().await
    }

    /// Sets what was counted to zero.
    pub async fn reset(&mut self) {
        self.inner.reset().await;
    }

    /// What was counted, by the name or subject of the endpoint.
    pub async fn stats(&self) -> HashMap<String, endpoint::Stats> {
        self.inner.stats().await
    }

    /// What is told of the service.
    pub async fn info(&self) -> Info {
        self.inner.info().await
    }

    /// A group of endpoints whose subjects begin with `{prefix}.`.
    #[must_use]
    pub fn group<S: ToString>(&self, prefix: S) -> Group {
        self.group_with_queue_group(prefix, &self.scope.queue_group)
    }

    /// A group of endpoints whose subjects begin with `{prefix}.`, with a queue group of its own.
    #[must_use]
    pub fn group_with_queue_group<S: ToString, Z: ToString>(
        &self,
        prefix: S,
        queue_group: Z,
    ) -> Group {
        let (prefix, queue_group) = (prefix.to_string(), queue_group.to_string());
        let scope = self.scope.group(&prefix, queue_group.clone());
        Group::new(
            self.inner.group_with_queue_group(prefix, queue_group),
            scope,
        )
    }

    /// The builder of an endpoint with a name, metadata or queue group of its own.
    pub fn endpoint_builder(&self) -> EndpointBuilder {
        EndpointBuilder::new(self.inner.endpoint_builder(), self.scope.clone())
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
}
